import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeSmallRoot } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isFileInRoot } from "../src/image-root.ts";
import { type Isolation, type NetworkedStep, probeIsolation, runNetworkedStep } from "../src/index.ts";

let folder = "";
let root = "";
let registry: Server;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-root-"));
  await chmod(folder, 0o755);
  root = join(folder, "root");
  await makeSmallRoot(root);
  registry = createServer((_, answer) => answer.end("a package")).listen(0, "127.0.0.1");
});
afterAll(async () => {
  registry.close();
  await rm(folder, { recursive: true, force: true });
});

for (const method of ["bubblewrap", "namespaces"] as const) {
  const probe = await probeIsolation({ method });
  const missing = probe.kind === "refused" ? ` (skipped: ${probe.reason})` : "";

  describe.skipIf(probe.kind === "refused")(`${method}, in the root of an image${missing}`, () => {
    const run = async (script: string, more: Partial<NetworkedStep> = {}) => {
      const workspace = more.workspace ?? (await mkdtemp(join(folder, "ws-")));
      let output = "";
      const lines: string[] = [];
      const result = await runNetworkedStep({
        isolation: probe as Isolation,
        ...{ identity: workspace, workspace, root, network: "none", timeoutMs: 20_000 },
        registries: { hosts: [`127.0.0.1:${(registry.address() as AddressInfo).port}`], env: {} },
        toolchain: { mounts: [], env: {}, path: "/nowhere", python: undefined, go: undefined, versions: "" },
        command: ["/bin/sh", "-eu", "-c", script],
        onOutput: (chunk) => {
          output += Buffer.from(chunk).toString();
        },
        onNetwork: (line) => lines.push(line),
        ...more,
      });
      return { ...result, output, lines };
    };

    test("a step has the image's programs and files and its workspace, and nothing of this machine", async () => {
      const workspace = await mkdtemp(join(folder, "ws-"));
      await writeFile(join(workspace, "in.txt"), "from the checkout\n");

      const ran = await run(
        "cat in.txt /etc/app/release /opt/tool/data; echo made > out.txt; ls /usr/bin; ls / ; [ ! -e /etc/ssh ]; [ -z $(ls /home/node) ]",
        { workspace },
      );

      expect(ran, ran.output).toMatchObject({ outcome: "succeeded" });
      expect(ran.output).toMatch(
        /^from the checkout\na small image\nof the image\ncat\nenv\nid\nls\nmkdir\nsh\ntouch\nbin\n/,
      );
      expect(ran.output).not.toMatch(/^(root|var|boot|srv)$/m);
      expect(await readFile(join(workspace, "out.txt"), "utf8")).toBe("made\n");
    });

    test("nothing of the root can be written to, and the kept image stays as it is", async () => {
      const before = (await readdir(root)).sort();

      const ran = await run(
        "for p in /x /usr/bin/x /etc/x /opt/tool/data /home/node/x; do touch $p 2>/dev/null && echo wrote $p; done; exit 0",
      );

      expect(ran.output).toBe("");
      expect((await readdir(root)).sort()).toEqual(before);
      expect(await readFile(join(root, "opt/tool/data"), "utf8")).toBe("of the image\n");
    });

    test("the step is an ordinary user with a name, whoever the image would start as", async () => {
      const ran = await run("id -un; id -u; cat /etc/passwd; echo x > /tmp/own; cat /proc/self/status");

      expect(ran.output).toMatch(/^build\n[1-9]\d*\n/);
      expect(ran.output).toContain("node:x:1000:1000");
      expect(ran.output).toMatch(/^CapEff:\s*0+$/m);
      expect(ran.output).toMatch(/^NoNewPrivs:\s*1$/m);
    });

    test("a home that is kept is its own folder, and is written to by its own right", async () => {
      const home = join(folder, `home-${method}`);
      await mkdir(home);

      const ran = await run("mkdir -p ~/.cache; echo kept > ~/.cache/file; env", { home });

      expect(ran.output).toContain("HOME=/slipway/home\n");
      expect(await readFile(join(home, ".cache/file"), "utf8")).toBe("kept\n");
    });

    test("the registries are reached although the image has no Node", async () => {
      const ran = await run("env; exit 7", { network: "registries" });

      expect(ran).toMatchObject({ outcome: "failed", exitCode: 7 });
      expect(ran.output).toContain("HTTPS_PROXY=http://127.0.0.1:3128\n");
    });

    test("an image without a shell fails the step and says so", async () => {
      const empty = await mkdtemp(join(folder, "empty-"));

      const ran = await run("true", { root: empty });

      expect(ran).toMatchObject({ outcome: "failed", reason: expect.stringContaining("has no shell") });
    });
  });
}

test("a path in a root is followed as its own links lead, and never out of it", async () => {
  const place = await mkdtemp(join(folder, "links-"));
  await mkdir(join(place, "usr/bin"), { recursive: true });
  await writeFile(join(place, "usr/bin/busybox"), "");
  await symlink("usr/bin", join(place, "bin"));
  await symlink("/bin/busybox", join(place, "usr/bin/sh"));
  await symlink("../../../../etc/passwd", join(place, "usr/bin/out"));
  await symlink("loop", join(place, "usr/bin/loop"));

  expect(isFileInRoot(place, "/bin/sh")).toBe(true);
  expect(isFileInRoot(place, "/bin/loop")).toBe(false);
  expect(isFileInRoot(place, "/bin")).toBe(false);
  expect(existsSync("/etc/passwd") && isFileInRoot(place, "/bin/out")).toBe(false);
});
