import { readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { exposureIsConsistent } from "../../../src/story/report.ts";
import { trafficWrites } from "../fences.ts";
import type { Platform } from "../platform.ts";
import { pidOf, podsOf } from "../processes.ts";
import { type Watching, watching } from "../run-command.ts";
import { boundedLoad } from "./bounded-load.ts";
import { busIsWhole, kinds } from "./bus-order.ts";
import { digestsOfBuilds, pulledRoot, readAnothersSchema } from "./own-clients.ts";
import { isInstalled, type Reader, readerOf, readRealSection } from "./readme.ts";
import { differences } from "./same-tree.ts";

/** A platform that holds a canary of the first version at 5%, with no request sent through its meshes yet. */
export type Held = { readonly platform: Platform; readonly version: string; readonly sha: string };

/** What goes on after the canary was held. */
export type Seen = {
  /** Ends the watch; undefined where there is no kubectl. */
  whatKubectlShowed(): Promise<string | undefined>;
  clean(): void;
};

const region = "us-east-1";
const namespaces = ["mnt", "pid", "ipc", "uts"] as const;
const section = readRealSection();

/** The README's claims, each by the commands that stand there and by our own client. Every claim needs its test here. */
export function seeThatItIsReal(held: () => Held): Seen {
  const tested = new Set<string>();
  const shell: { reader?: Reader; watching?: Watching } = {};
  const reader = () => {
    shell.reader ??= readerOf(held().platform.dataDir, section);
    return shell.reader;
  };
  const pod = () => podOf(held());
  /** One claim; its own tool missing skips the reader's commands by name, never what our own client sees. */
  const claim = (name: string, tool: string, byReader: () => Promise<void>, byUs?: () => Promise<void>) => {
    tested.add(name);
    const missing = isInstalled(tool) ? "" : ` (skipped: ${tool} is not installed)`;
    test.skipIf(missing !== "")(`${name}${missing}`, byReader);
    if (byUs !== undefined) test(`${name}, by our own client`, byUs);
  };

  describe("what the README says can be seen", () => {
    test("begins with a deployment of the version that is held here", async () => {
      expect(await reader().held()).toEqual(["deploy", "orders", held().sha, "--as", "approver"]);
    });

    claim("The load process and the mesh counted the same answers", "curl", async () => {
      const counts = await boundedLoad(held().platform, 300);
      const ran = await reader().run("The load process and the mesh counted the same answers");
      const [byLoad, byMesh] = countsIn(ran.out);
      expect(Object.keys(byLoad), ran.out + ran.err).toHaveLength(2);
      expect(byLoad[held().version]).toBe(counts.regions[region]?.versions[held().version]?.requests);
      expect(byMesh).toEqual(byLoad);
    });

    claim("5% is 5%", "curl", async () => {
      const { out, err } = await reader().run("5% is 5%");
      const split: Record<string, number> = Object.fromEntries(
        [...out.matchAll(/(\d+) x-slipway-version: (\S+)/g)].map(([, n, v]) => [v, Number(n)]),
      );
      expect(
        Object.values(split).reduce((sum, own) => sum + own, 0),
        out + err,
      ).toBe(2_000);
      expect(exposureIsConsistent(split[held().version] ?? 0, 2_000, 5), out).toBe(true);
    });

    claim(
      "Weights and fence change before your eyes",
      "kubectl",
      async () => {
        shell.watching = watching("sh", ["-c", reader().script("Weights and fence change before your eyes")]);
        await shell.watching.shows(/slipway\.dev\/fence: \d+\/\d+\/open\/D-\d+/);
        await shell.watching.shows(new RegExp(`host: ${held().version}[^]*?weight: 5\\b`));
      },
      async () => {
        const last = trafficWrites(held().platform.dataDir, region).at(-1);
        expect(last).toMatchObject({ gate: "open", weights: { [held().version]: 5 } });
      },
    );

    claim(
      "A pod has namespaces of its own",
      "readlink",
      async () => {
        const { out, err } = await reader().run("A pod has namespaces of its own");
        const found = out.trim().split("\n");
        expect(found, err).toHaveLength(8);
        namespaces.forEach((name, at) => {
          expect(found[2 * at]).toMatch(new RegExp(`^${name}:`));
          expect(found[2 * at + 1]).toMatch(new RegExp(`^${name}:`));
        });
        expect(new Set(found).size).toBe(8);
      },
      async () => {
        const platform = pidOf(held().platform.dataDir, "platform");
        for (const name of namespaces)
          expect(readlinkSync(`/proc/${pod()}/ns/${name}`)).not.toBe(readlinkSync(`/proc/${platform}/ns/${name}`));
      },
    );

    claim(
      "The image is an image, and the pod runs it",
      "skopeo",
      async () => {
        const { out, err } = await reader().run("The image is an image, and the pod runs it");
        expect(out, err).toContain(`"${held().sha}"`);
        expect(out.trimEnd().split("\n").at(-1), out + err).toBe("the same");
      },
      async () => {
        const { root, remove } = await pulledRoot(held());
        expect(differences(root, `/proc/${pod()}/root`)).toEqual([]);
        expect(readFileSync(join(root, "app/package.json"), "utf8")).toContain("order-service");
        await remove();
      },
    );

    claim(
      "Two builds of one commit are one image",
      "curl",
      async () => {
        const { out, err } = await reader().run("Two builds of one commit are one image");
        const lines = out.trim().split("\n");
        expect(lines.length, out + err).toBeGreaterThanOrEqual(2);
        expect(new Set(lines.map((line) => line.split(" ")[0])).size).toBe(lines.length);
        expect(new Set(lines.map((line) => /@(sha256:[0-9a-f]{64}) /.exec(line)?.[1])).size, out).toBe(1);
      },
      async () => {
        const digests = await digestsOfBuilds(held());
        expect(digests.length).toBeGreaterThanOrEqual(2);
        expect(new Set(digests).size).toBe(1);
      },
    );

    claim("A build step sees nothing of yours", "curl", async () => {
      const { out, err } = await reader().run("A build step sees nothing of yours");
      const steps = ["home", "shadow", "data", "other-builds", "network"];
      expect(out, err).toContain(`slipway | failed: ${steps.map((step) => `${step} failed`).join(", ")}`);
      if (process.getuid?.() !== 0) return;
      // The same steps without isolation: what they ask for is there.
      const open = section.claims
        .get("A build step sees nothing of yours")
        ?.replace("run --jobs", "run --no-isolation --jobs");
      const unprotected = readerOf(held().platform.dataDir, { ...section, claims: new Map([["open", open ?? ""]]) });
      const seen = await unprotected.run("open");
      rmSync(unprotected.folder, { recursive: true });
      expect(seen.out, seen.err).toContain(
        `slipway | succeeded: ${steps.map((step) => `${step} succeeded`).join(", ")}`,
      );
    });

    claim(
      "A service cannot read another's schema",
      "psql",
      async () => {
        const { out, err, code } = await reader().run("A service cannot read another's schema");
        expect(out).toMatch(/count[^\d]+\d+/);
        expect(err).toContain("permission denied for schema deployment");
        expect(code).toBe(1);
      },
      () => expect(readAnothersSchema(held().platform.dataDir)).rejects.toMatchObject({ code: "42501" }),
    );

    claim("All of it went over the bus", "sh", async () => {
      const { out, err } = await reader().run("All of it went over the bus");
      expect(busIsWhole(kinds(out)), out.slice(0, 4_000) + err).toEqual([]);
      const times = out
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[0] ?? "");
      expect([...times].sort()).toEqual(times);
    });

    test("has a test for each claim, and no claim is tested that is not there", () => {
      expect([...tested].sort()).toEqual([...section.claims.keys()].sort());
      expect(tested.size).toBeGreaterThanOrEqual(9);
    });
  });

  return {
    whatKubectlShowed: () => shell.watching?.end() ?? Promise.resolve(undefined),
    clean() {
      if (shell.reader !== undefined) rmSync(shell.reader.folder, { recursive: true, force: true });
    },
  };
}

function podOf({ platform, version }: Held): number {
  const found = [...podsOf(platform.dataDir, region)].find(([name]) => name.startsWith(version));
  if (found === undefined) throw new Error(`${version} has no pod in ${region}`);
  return found[1];
}

/** Two tables of `<version> <requests>` below each other: the first has each version once. */
function countsIn(text: string): readonly [Record<string, number>, Record<string, number>] {
  const tables: [Record<string, number>, Record<string, number>] = [{}, {}];
  let second = false;
  for (const line of text.trim().split("\n")) {
    const [version = "", requests] = line.split(" ");
    if (tables[0][version] !== undefined) second = true;
    const table = second ? tables[1] : tables[0];
    table[version] = (table[version] ?? 0) + Number(requests);
  }
  return tables;
}
