import { existsSync } from "node:fs";
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Executor, ExecutorStep } from "@slipway/executor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

export type ExecutorWorld = { readonly executor: Executor; close(): Promise<void> };

const mebibyte = 1_048_576;

/** What holds for a step wherever it runs. `missing`: why there is no such executor here. */
export function executorContract(name: string, open: () => Promise<ExecutorWorld>, missing?: string): void {
  describe.skipIf(missing !== undefined)(
    `the executor ${name}${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    () => {
      let world: ExecutorWorld;
      let folder = "";
      beforeAll(async () => {
        folder = await mkdtemp(join(tmpdir(), "slipway-executor-"));
        world = await open();
      });
      afterAll(async () => {
        await world?.close();
        await rm(folder, { recursive: true, force: true });
      });

      const freshWorkspace = (): Promise<string> => mkdtemp(join(folder, "ws-"));
      const run = async (script: string, more: Partial<ExecutorStep> = {}) => {
        const workspace = more.workspace ?? (await freshWorkspace());
        let output = "";
        const result = await world.executor.run({
          ...{ identity: workspace, workspace, network: "none", timeoutMs: 120_000 },
          registries: { hosts: [], env: {} },
          toolchain: {
            mounts: [],
            env: {},
            path: "/opt/slipway/bin:/usr/bin:/bin",
            python: undefined,
            go: undefined,
            versions: "",
          },
          command: ["/bin/sh", "-eu", "-c", script],
          onOutput: (chunk) => {
            output += Buffer.from(chunk).toString("latin1");
          },
          onNetwork: () => undefined,
          ...more,
        });
        return { ...result, output };
      };

      test("a step works on its workspace with the platform's node and leaves its files there", async () => {
        const workspace = await freshWorkspace();
        await mkdir(join(workspace, "src"));
        await writeFile(join(workspace, "src/in.txt"), "from the checkout\n");
        await writeFile(join(workspace, "tool"), "#!/bin/sh\necho the tool ran\n", { mode: 0o755 });
        await symlink("src/in.txt", join(workspace, "link"));

        const ran = await run(
          "pwd; cat link; ./tool; node -p 1+1; mkdir dist; echo made > dist/out.txt; rm src/in.txt",
          {
            workspace,
          },
        );

        expect(ran).toMatchObject({ outcome: "succeeded", exitCode: 0 });
        expect(ran.output).toBe("/workspace\nfrom the checkout\nthe tool ran\n2\n");
        expect(await readFile(join(workspace, "dist/out.txt"), "utf8")).toBe("made\n");
        expect(existsSync(join(workspace, "src/in.txt"))).toBe(false);
        expect((await lstat(join(workspace, "link"))).isSymbolicLink()).toBe(true);
      });

      test("a step's exit code and both its streams come out in order", async () => {
        const ran = await run("echo one; echo two >&2; echo three; exit 7");

        expect(ran).toMatchObject({
          outcome: "failed",
          exitCode: 7,
          reason: "exit code 7",
          output: "one\ntwo\nthree\n",
        });
      });

      test("a step has the environment asked for, its secrets as they are, and nothing of the platform's", async () => {
        const value = `it's "$HOME" \\n \`id\` = ${"x".repeat(40)}\nsecond line`;

        const ran = await run('printf "%s|" "$TOKEN"; env', {
          env: { GREETING: "hello there" },
          secretEnv: { TOKEN: value },
        });

        expect(ran.output.startsWith(`${value}|`)).toBe(true);
        expect(ran.output).toContain("GREETING=hello there\n");
        const names = ran.output.split("\n").map((line) => line.split("=")[0] ?? "");
        expect(names.filter((name) => /SLIPWAY|KUBERNETES|VITEST|SUDO|LOGNAME/.test(name))).toEqual([]);
      });

      test("the root cannot be written to, no capability is left and no privilege can be gained", async () => {
        const ran = await run(
          "for p in /x /usr/x /etc/x /opt/x; do (echo x >> $p) 2>/dev/null && echo wrote $p; done; id -u; cat /proc/self/status",
        );

        expect(ran.output).not.toContain("wrote");
        expect(ran.output).not.toMatch(/^0$/m);
        expect(ran.output).toMatch(/^CapEff:\s*0+$/m);
        expect(ran.output).toMatch(/^NoNewPrivs:\s*1$/m);
      });

      test("a folder that the platform brings along is there, and a home keeps what is put into it", async () => {
        const tools = await mkdtemp(join(folder, "tools-"));
        await chmod(tools, 0o755);
        await writeFile(join(tools, "tool.txt"), "a tool\n", { mode: 0o644 });
        const home = await mkdtemp(join(folder, "home-"));
        await writeFile(join(home, "before"), "kept before\n");
        const to = `${world.executor.toolsInside}/mine`;

        const ran = await run(`cat ${to}/tool.txt ~/before; mkdir ~/.cache; echo kept > ~/.cache/file`, {
          home,
          mounts: [{ from: tools, to }],
        });

        expect(ran).toMatchObject({ outcome: "succeeded", output: "a tool\nkept before\n" });
        expect(await readFile(join(home, ".cache/file"), "utf8")).toBe("kept\n");
      });

      test("a step that hangs is ended at its time, with all that it started", async () => {
        // A busy machine may not have begun it by then: again, with more time.
        for (const seconds of [2, 20]) {
          const timeoutMs = seconds * 1_000;
          const ran = await run("(while :; do sleep 1; done) & echo begun; sleep 600", { timeoutMs });

          expect(ran).toMatchObject({ outcome: "timed_out", reason: `took longer than its timeout of ${seconds}s` });
          if (ran.output === "" && seconds < 20) continue;
          expect(ran.output).toBe("begun\n");
          return;
        }
      });

      test("what a step left running does not keep it from ending", async () => {
        const ran = await run("(while :; do sleep 1; done) & echo done");

        expect(ran).toMatchObject({ outcome: "succeeded", output: "done\n" });
      });

      test("a step is cancelled by its signal", async () => {
        const controller = new AbortController();

        const ran = await run("echo begun; sleep 600", {
          signal: controller.signal,
          onOutput: () => controller.abort(),
        });

        expect(ran).toMatchObject({ outcome: "cancelled" });
      });

      test("100 MB of output are cut at the limit and end the step", async () => {
        const ran = await run("head -c 104857600 /dev/zero", { limits: { outputBytes: mebibyte } });

        expect(ran).toMatchObject({
          outcome: "failed",
          reason: "printed more than 1 MiB; the rest of its output is cut off",
        });
        expect(ran.output.length).toBe(mebibyte);
      });

      test("a step that takes too much memory is ended", async () => {
        const hog = "const held = []; for (;;) held.push(Buffer.alloc(8388608, 1));";

        const ran = await run(`exec node -e '${hog}'`, { limits: { memoryBytes: 256 * mebibyte } });

        expect(ran).toMatchObject({ outcome: "failed" });
      });

      test("a step that fills the disk is ended", async () => {
        const script = "i=0; while :; do head -c 1048576 /dev/zero > f$i; i=$((i+1)); sleep 0.01; done";

        const ran = await run(script, { limits: { diskBytes: 20 * mebibyte } });

        expect(ran).toMatchObject({ outcome: "failed", reason: expect.stringContaining("more than 20 MiB of disk") });
      });

      test("a fork bomb meets the limit of processes and the step ends", async () => {
        const ran = await run("bomb() { bomb & bomb; }; bomb 2>/dev/null", {
          timeoutMs: 3_000,
          limits: { processes: 48 },
        });

        expect(["failed", "timed_out"]).toContain(ran.outcome);
      });

      test("nothing of one step is there for the next", async () => {
        const workspace = await freshWorkspace();
        const first = await run("echo mine > /tmp/left; echo mine > /dev/shm/left; ls /tmp", { workspace });
        const second = await run("ls /tmp /dev/shm", { workspace });

        expect(first).toMatchObject({ outcome: "succeeded", output: "left\n" });
        expect(second.output).not.toContain("left");
      });

      test("two steps run at once without seeing each other", async () => {
        const [one, two] = await Promise.all([
          run("echo one > here; sleep 0.3; ls; ls -d /proc/[0-9]* | cat"),
          run("echo two > there; sleep 0.3; ls; ls -d /proc/[0-9]* | cat"),
        ]);

        expect(one?.output.split("\n")[0]).toBe("here");
        expect(two?.output.split("\n")[0]).toBe("there");
        expect(one?.output.trim().split("\n").length).toBeLessThan(9);
      });

      test("links that a step leaves are taken as links, wherever they lead", async () => {
        const workspace = await freshWorkspace();

        const ran = await run("node -e \"require('fs').symlinkSync('../../../etc/passwd', 'out')\"; echo kept > file", {
          workspace,
        });

        expect(ran).toMatchObject({ outcome: "succeeded" });
        expect((await lstat(join(workspace, "out"))).isSymbolicLink()).toBe(true);
        expect((await readdir(workspace)).sort()).toEqual(["file", "out"]);
      });
    },
  );
}
