import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { hasAddresses, realPart } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerfileBuilds, startDockerfileBuilds } from "./dockerfile-builds.ts";

const [etcd, kubernetes, helm] = [realPart("etcd"), realPart("kubernetes"), realPart("helm")];
const [buildkit, runc] = [realPart("buildkit"), realPart("runc")];
const parts =
  etcd && kubernetes && helm && buildkit && runc && hasAddresses()
    ? { etcd, kubernetes, helm, buildkit, runc }
    : undefined;

describe.skipIf(parts === undefined)("what a Dockerfile's RUN lines made is kept from build to build", () => {
  let builds: DockerfileBuilds;
  beforeAll(async () => {
    builds = await startDockerfileBuilds(parts!, { SLIPWAY_CACHE_MIB: "72" });
  });
  afterAll(() => builds?.close());

  /** A service whose step has a cache; `commit` changes nothing but the files that are given. */
  async function cached(dockerfile: string, step: object = {}) {
    const { service, repository } = await builds.service();
    const more = { uses: "dockerfile", network: "registries", cache: { key: ["lock"] }, ...step };
    const file = { version: 1, service, pipeline: { container: more }, image: { from: "container" } };
    const always = { "slipway.yaml": JSON.stringify(file), Dockerfile: dockerfile, lock: "1" };
    const commit = async (files: Record<string, string>, branch = "main") => ({
      url: repository.url,
      sha: await repository.commit({ ...always, ...files }, branch),
    });
    return {
      ...{ service, commit },
      kept: join(builds.platform.folder, "data", "caches", service),
      async build(files: Record<string, string>, branch = "main") {
        const build = await builds.built(await commit(files, branch), branch);
        expect(build, build.log).toMatchObject({ status: "SUCCEEDED" });
        return build;
      },
    };
  }

  /** The first line makes a number that no other run of it makes; the second runs for each change of `source`. */
  const numbered = (first = "") =>
    `FROM ${builds.base.from}\nWORKDIR /app\nCOPY lock .\nRUN ${first}cat /proc/sys/kernel/random/uuid > number\nCOPY source .\nRUN echo has $(cat number).\n`;
  const numberOf = (log: string): string => / has ([0-9a-f-]{36})\.\n/.exec(log)?.[1] ?? log;
  const secondsOf = (log: string): string => /container \| succeeded after ([\d.]+ s)/.exec(log)?.[1] ?? log;

  /** The entries that are kept, by key, and when each was made. */
  async function entries(kept: string): Promise<Readonly<Record<string, number>>> {
    const names = await readdir(kept);
    return Object.fromEntries(
      await Promise.all(
        names.map(async (name) => [name, (await stat(join(kept, name, "files", "0", "index.json"))).mtimeMs]),
      ),
    ) as Record<string, number>;
  }
  const blobsOf = async (kept: string): Promise<string> => {
    const [key = ""] = await readdir(kept);
    return join(kept, key, "files", "0", "blobs", "sha256");
  };

  test("the next commit does not run a line again that did not change, another service does", async () => {
    const one = await cached(numbered("sleep 4; "));
    const other = await cached(numbered());

    const cold = await one.build({ source: "1" });
    const warm = await one.build({ source: "2" });
    const theirs = await other.build({ source: "1" });

    expect(cold.log).toContain("container | cache: none yet\n");
    expect(cold.log).toMatch(/container \| cache: kept \d+\.\d MiB by Dockerfile, lock\n/);
    expect(warm.log).toMatch(/container \| cache: restored \d+\.\d MiB by Dockerfile, lock\n/);
    expect(warm.log).toContain("container | cache: 1 of 2 RUN lines were in what was kept\n");
    expect(warm.log).not.toContain("cache: kept");
    expect(warm.log).toContain(`image | base ${builds.base.pinned}\n`);
    expect(numberOf(warm.log)).toBe(numberOf(cold.log));
    expect(theirs.log).toContain("cache: none yet");
    expect(numberOf(theirs.log)).not.toBe(numberOf(cold.log));
    process.stdout.write(`built cold in ${secondsOf(cold.log)}, warm in ${secondsOf(warm.log)}\n`);
  });

  test("a build of another branch reads what is kept and changes nothing of it, whatever it makes of its own", async () => {
    const { build, kept } = await cached(numbered());
    const main = await build({ source: "1" });
    const before = await entries(kept);

    const branch = await build({ source: "2" }, "feature");
    const untouched = await entries(kept);
    const other = await build({ source: "2", lock: "2" }, "feature");
    const again = await build({ source: "3" });

    expect(numberOf(branch.log)).toBe(numberOf(main.log));
    expect(untouched).toEqual(before);
    expect(numberOf(other.log)).not.toBe(numberOf(main.log));
    expect(await entries(kept)).toMatchObject(before);
    expect(Object.keys(await entries(kept))).toHaveLength(2);
    expect(numberOf(again.log)).toBe(numberOf(main.log));
  });

  test("the same commit has the same digest with what was kept by an older one and after the cache was wiped", async () => {
    const { build, commit, kept, service } = await cached(
      `FROM ${builds.base.from} AS tools\nRUN mkdir -p /made/deep && echo x > /made/deep/file\nFROM ${builds.base.from}\nWORKDIR /app/at\nCOPY --from=tools /made made\nCOPY lock .\nRUN mkdir out && cat lock > out/lock && touch /etc/app\nCOPY source .\nRUN cat source > out/source\n`,
    );
    await build({ source: "1" });
    const pushed = await commit({ source: "2" });

    const warm = await builds.built(pushed);
    await rm(kept, { recursive: true });
    const cold = await builds.built(pushed, "again");

    expect(warm.log).toContain("container | cache: 2 of 3 RUN lines were in what was kept\n");
    expect(cold.log).toContain("container | cache: none yet\n");
    expect(warm, warm.log).toMatchObject({ status: "SUCCEEDED" });
    expect(cold, cold.log).toMatchObject({ status: "SUCCEEDED", digest: warm.digest });
    const stored = builds.platform.registry.manifests.get(`${service}:${pushed.sha}`);
    const { layers } = JSON.parse(String(stored?.bytes)) as { readonly layers: readonly object[] };
    expect(layers, "one of the base, and one for each line").toHaveLength(7);
  });

  test("what is broken or forged is not used: the build runs without, says so, and keeps what fits", async () => {
    const { build, kept } = await cached(numbered());
    const first = await build({ source: "1" });
    const blobs = await blobsOf(kept);
    const [largest = ""] = await bySize(blobs);
    await writeFile(join(blobs, largest), "other bytes");

    const broken = await build({ source: "2" });
    await forge(join(await blobsOf(kept), "..", ".."));
    const forged = await build({ source: "3" });
    const warm = await build({ source: "4" });

    expect(broken.log).toMatch(/container \| cache: not restored: what is kept is broken: sha256:\w+ has /);
    expect(broken.log).toMatch(/container \| cache: kept /);
    expect(numberOf(broken.log)).not.toBe(numberOf(first.log));
    expect(forged.log).toContain("container | cache: what was kept is of no use: the image is built without it\n");
    expect(forged.log).toMatch(/container \| cache: kept /);
    expect(numberOf(warm.log)).toBe(numberOf(forged.log));
  });

  test("what is larger than all caches, or than the step's disk, is not kept, and the image is there", async () => {
    const inStage = (bytes: number) =>
      `FROM ${builds.base.from} AS made\nRUN head -c ${bytes} /dev/urandom > /large\nFROM ${builds.base.from}\nCOPY --from=made /etc/passwd /x\n`;
    const much = await cached(inStage(80_000_000));
    const overDisk = await cached(inStage(70_000_000));

    const { log } = await much.build({});
    const { log: ofDisk } = await overDisk.build({});

    expect(log).toMatch(
      /container \| cache: not kept: its size of 7\d MiB is over the 72 MiB that all caches may have\n/,
    );
    expect(ofDisk).toMatch(/container \| cache: not kept: a file has more than 67108864 bytes: .*\n/);
    for (const { kept } of [much, overDisk]) await expect(readdir(kept)).rejects.toThrow("ENOENT");
  });

  test("without a file of its key it is off, and the build is as any other", async () => {
    const { build, kept } = await cached(numbered(), { cache: { key: ["lock", "absent"] } });

    const { log } = await build({ source: "1" });

    expect(log).toContain("container | cache: off, absent is not a file of the workspace\n");
    expect(log).not.toContain("cache: kept");
    await expect(readdir(kept)).rejects.toThrow("ENOENT");
  });

  test("where a FROM line's tag has moved, so that no line fits any more, it is kept anew", async () => {
    const { manifests } = builds.platform.registry;
    const { build } = await cached(numbered());
    await build({ source: "1" });
    const before = manifests.get("base:1")!;
    await builds.pushBase("2");
    manifests.set("base:1", manifests.get("base:2")!);

    const stale = await build({ source: "2" });
    const warm = await build({ source: "3" });
    manifests.set("base:1", before);

    expect(stale.log).toContain("container | cache: 0 of 2 RUN lines were in what was kept\n");
    expect(stale.log).toMatch(/container \| cache: kept /);
    expect(warm.log).toContain("container | cache: 1 of 2 RUN lines were in what was kept\n");
    expect(numberOf(warm.log)).toBe(numberOf(stale.log));
  });

  test("a line that fails after one that was kept is the build's reason, with its line, and is run once", async () => {
    const { build, commit } = await cached(`${numbered()}RUN cat source; [ "$(cat source)" = fine ]\n`);
    await build({ source: "fine" });

    const failed = await builds.built(await commit({ source: "wrong" }));

    expect(failed.reason, failed.log).toMatch(
      /^step container: Dockerfile:7: process .* did not complete .*: exit code: 1$/,
    );
    expect(failed.log.match(/^container \| #\d+ [\d.]+ wrong$/gm)).toHaveLength(1);
  });

  test("a secret that a line mounts is not in what is kept, and what the line made is", async () => {
    const { build, service, kept } = await cached(
      `FROM ${builds.base.from}\nRUN --mount=type=secret,id=NPM_TOKEN wc -c /run/secrets/NPM_TOKEN > /made; echo a-word-that-is-kept >> /made\n`,
      { secrets: ["NPM_TOKEN"] },
    );
    const value = "a-token-of-some-length-7f3a";
    await builds.platform.fetch(`/api/v1/repositories/${service}/secrets/NPM_TOKEN`, {
      ...{ method: "PUT", as: "deployer", body: { value } },
    });

    await build({});

    const blobs = await blobsOf(kept);
    const texts = await Promise.all((await readdir(blobs)).map((name) => plainText(join(blobs, name))));
    expect(texts.filter((text) => text.includes("a-word-that-is-kept"))).toHaveLength(1);
    expect(texts.filter((text) => text.includes(`${value.length} /run/secrets/NPM_TOKEN`))).toHaveLength(1);
    expect(texts.filter((text) => text.includes(value))).toEqual([]);
  });
});

async function bySize(blobs: string): Promise<string[]> {
  const names = await readdir(blobs);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(blobs, name))).size));
  return names.sort((a, b) => (sizes[names.indexOf(b)] ?? 0) - (sizes[names.indexOf(a)] ?? 0));
}

async function plainText(path: string): Promise<string> {
  const bytes = await readFile(path);
  return (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString("latin1");
}

/** Puts nonsense in the place of the layers of a kept cache, with digests that are right everywhere. */
async function forge(layout: string): Promise<void> {
  const read = async (path: string) => JSON.parse(await readFile(join(layout, path), "utf8")) as never;
  const at = (digest: string): string => `blobs/sha256/${digest.slice("sha256:".length)}`;
  const put = async (content: string) => {
    const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
    await writeFile(join(layout, at(digest)), content);
    return { digest, size: Buffer.byteLength(content) };
  };
  type Blob = { digest: string; size: number };
  const index: { manifests: [Blob] } = await read("index.json");
  const manifest: { config: Blob; layers: Blob[] } = await read(at(index.manifests[0].digest));
  let config = await readFile(join(layout, at(manifest.config.digest)), "utf8");
  for (const [number, layer] of manifest.layers.entries()) {
    const forged = await put(`no layer at all: ${number}`);
    config = config.replaceAll(layer.digest, forged.digest);
    Object.assign(layer, forged);
  }
  Object.assign(manifest.config, await put(config));
  Object.assign(index.manifests[0], await put(JSON.stringify(manifest)));
  await writeFile(join(layout, "index.json"), JSON.stringify(index));
}
