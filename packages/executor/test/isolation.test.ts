import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Isolation, type IsolationMethod, probeIsolation, runStep, type StepRequest } from "../src/index.ts";

const methods: readonly Exclude<IsolationMethod, "none">[] = ["bubblewrap", "namespaces"];
const mebibyte = 1_048_576;
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-executor-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

type Ran = Awaited<ReturnType<typeof runStep>> & { readonly output: string };

async function run(isolation: Isolation, script: string, options: Partial<StepRequest> = {}): Promise<Ran> {
  const workspace = options.workspace ?? (await mkdtemp(join(folder, "ws-")));
  let output = "";
  const result = await runStep({
    isolation,
    identity: workspace,
    workspace,
    command: ["/bin/sh", "-eu", "-c", script],
    timeoutMs: 20_000,
    onOutput: (chunk) => {
      output += Buffer.from(chunk).toString("latin1");
    },
    ...options,
  });
  return { ...result, output };
}

/** The arguments of every process that this user can see. */
async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
}

const node = (program: string): string => `exec node -e '${program}'`;

for (const method of methods) {
  for (const useCgroups of [true, false]) {
    const probe = await probeIsolation({ method, useCgroups });
    const missing = probe.kind === "refused" ? ` (skipped: ${probe.reason})` : "";
    const tier = probe.kind === "isolation" ? probe.limits : "no";
    if (useCgroups && tier === "rlimits") continue;

    describe.skipIf(probe.kind === "refused")(`${method} with ${tier} limits${missing}`, () => {
      const isolation = probe as Isolation;

      test("a step works in its workspace with the platform's node and leaves its files there", async () => {
        const workspace = await mkdtemp(join(folder, "ws-"));
        await writeFile(join(workspace, "in.txt"), "from the checkout");

        const ran = await run(isolation, "pwd; cat in.txt; node --version; echo made > out.txt", { workspace });

        expect(ran).toMatchObject({ outcome: "succeeded", exitCode: 0 });
        expect(ran.output).toBe(`/workspace\nfrom the checkout${process.version}\n`);
        expect(await readFile(join(workspace, "out.txt"), "utf8")).toBe("made\n");
      });

      test("a step's exit code and both its streams come out in order", async () => {
        const ran = await run(isolation, "echo one; echo two >&2; echo three; exit 7");

        expect(ran).toMatchObject({ outcome: "failed", exitCode: 7, output: "one\ntwo\nthree\n" });
      });

      test("a step has the environment asked for and nothing of the platform's", async () => {
        const ran = await run(isolation, "env", { env: { GREETING: "hello there" } });

        const names = ran.output.split("\n").map((line) => line.split("=")[0]);
        expect(ran.output).toContain("GREETING=hello there\n");
        expect(names.filter((name) => /SLIPWAY|VITEST|NODE_|npm_|SUDO|LOGNAME/.test(name ?? ""))).toEqual([]);
      });

      test("a step has its secrets as they are, and no process of the machine shows one among its arguments", async () => {
        const value = `it's "$HOME" \\n \`id\` = ${"x".repeat(40)}\nsecond line`;
        const workspace = await mkdtemp(join(folder, "ws-"));
        let shown: readonly string[] = ["nobody looked"];
        let output = "";

        const ran = await run(
          isolation,
          'printf "%s|%s|" "$ONE" "$TWO"; env > env.txt; until [ -e go ]; do sleep 0.02; done',
          {
            workspace,
            env: { ONE_MORE: "plain" },
            secretEnv: { ONE: value, TWO: "second" },
            onOutput: async (chunk) => {
              output += Buffer.from(chunk).toString("utf8");
              if (!output.endsWith("|second|")) return;
              shown = (await commandLines()).filter((line) => line.includes("x".repeat(40)));
              await writeFile(join(workspace, "go"), "");
            },
          },
        );

        expect(ran).toMatchObject({ outcome: "succeeded", exitCode: 0 });
        expect(output).toBe(`${value}|second|`);
        expect(shown).toEqual([]);
        expect(await readFile(join(workspace, "env.txt"), "utf8")).not.toMatch(/SLIPWAY_SECRET/);
      });

      test("homes, /etc/shadow, the data folder and other workspaces do not exist inside", async () => {
        const data = await mkdtemp(join(folder, "data-"));
        await writeFile(join(data, "secret"), "the platform's secret", { mode: 0o600 });
        const other = await mkdtemp(join(folder, "ws-other-"));
        await writeFile(join(other, "theirs"), "another build's file", { mode: 0o666 });
        await chmod(other, 0o777);
        const paths = ["/root", "/home", "/etc/shadow", "/etc/ssh", "/var", "/sys", "/run", data, other, process.cwd()];

        const ran = await run(
          isolation,
          `for p in ${paths.join(" ")}; do if [ -e "$p" ]; then echo "sees $p"; fi; done`,
        );

        expect(ran).toMatchObject({ outcome: "succeeded", output: "" });
      });

      test("the root file system, system folders and read-only mounts cannot be written", async () => {
        const tools = await mkdtemp(join(folder, "tools-"));
        await chmod(tools, 0o755);
        await writeFile(join(tools, "tool.txt"), "a tool", { mode: 0o644 });
        const targets = ["/x", "/usr/x", "/etc/passwd", "/etc/x", "/opt/x", "/opt/slipway/bin/node", "/tools/tool.txt"];

        const ran = await run(
          isolation,
          `cat /tools/tool.txt; for p in ${targets.join(" ")}; do (echo x >> "$p") 2>/dev/null && echo "wrote $p"; done; exit 0`,
          { mounts: [{ from: tools, to: "/tools" }] },
        );

        expect(ran.output).toBe("a tool");
        expect(await readFile(join(tools, "tool.txt"), "utf8")).toBe("a tool");
      });

      test("no capability is left, privileges cannot be gained and no namespace can be made", async () => {
        const ran = await run(
          isolation,
          "grep -E '^(CapEff|CapPrm|CapBnd|CapAmb|NoNewPrivs)' /proc/self/status; id -u; unshare --user true || echo refused",
        );

        expect(ran.output).toMatch(/CapPrm:\t0+\nCapEff:\t0+\n/);
        expect(ran.output).toMatch(/NoNewPrivs:\t1\n/);
        expect(ran.output).not.toMatch(/^0$/m);
        expect(ran.output).toContain("refused");
      });

      test("loopback is up inside, and the host's loopback and the world are out of reach", async () => {
        const host = createServer((socket) => socket.end("the host answers")).listen(0, "127.0.0.1");
        await new Promise((resolve) => host.once("listening", resolve));
        const { port } = host.address() as { port: number };
        const program = `
          const net = require("node:net");
          const reach = (host, port) => new Promise((done) => {
            const socket = net.connect({ host, port, timeout: 10000 });
            for (const name of ["connect", "error", "timeout"]) socket.once(name, () => { socket.destroy(); done(name === "connect"); });
          });
          const own = net.createServer().listen(0, "localhost", async () => {
            console.log("own", await reach("localhost", own.address().port));
            console.log("host", await reach("127.0.0.1", ${port}));
            console.log("metadata", await reach("169.254.169.254", 80));
            own.close();
          });`;

        const ran = await run(isolation, `cat > p.cjs <<'EOF'\n${program}\nEOF\nnode p.cjs`);
        host.close();

        expect(ran.output).toBe("own true\nhost false\nmetadata false\n");
      });

      test("a step that hangs is ended at its time limit with everything it started", async () => {
        const workspace = await mkdtemp(join(folder, "ws-"));
        const script = "trap '' TERM; setsid sh -c 'while :; do date +%N > beat; sleep 0.05; done' & wait";

        // A busy machine may not have begun it by then: again, with more time.
        for (const seconds of [2, 20]) {
          const ran = await run(isolation, script, { timeoutMs: seconds * 1_000, workspace });

          expect(ran).toMatchObject({ outcome: "timed_out", reason: `took longer than its timeout of ${seconds}s` });
          if (existsSync(join(workspace, "beat"))) break;
        }
        const last = await readFile(join(workspace, "beat"), "utf8");
        await new Promise((resolve) => setTimeout(resolve, 200));
        expect(await readFile(join(workspace, "beat"), "utf8")).toBe(last);
      });

      test("a step is cancelled by its signal", async () => {
        const controller = new AbortController();

        const ran = await run(isolation, "echo begun; sleep 60", {
          signal: controller.signal,
          onOutput: () => controller.abort(),
        });

        expect(ran).toMatchObject({ outcome: "cancelled" });
      });

      test("100 MB of output are cut at the limit and end the step", async () => {
        const ran = await run(isolation, "head -c 104857600 /dev/zero", { limits: { outputBytes: mebibyte } });

        expect(ran).toMatchObject({
          outcome: "failed",
          reason: "printed more than 1 MiB; the rest of its output is cut off",
        });
        expect(ran.output.length).toBe(mebibyte);
      });

      test("a fork bomb meets the limit of processes and the step ends", async () => {
        const bomb = `
          const { spawn } = require("node:child_process");
          let refused = 0, started = 0;
          const next = () => {
            let child;
            try { child = spawn("/bin/sleep", ["30"]); } catch { refused++; }
            if (child) { child.once("spawn", () => { started++; }); child.once("error", () => { refused++; }); }
            if (started + refused < 300 && refused < 20) setImmediate(next);
            else { console.log(started < 100 && refused > 0 ? "limited" : "started " + started); process.exit(0); }
          };
          next();`;

        const ran = await run(isolation, `cat > p.cjs <<'EOF'\n${bomb}\nEOF\nnode p.cjs`, {
          limits: { processes: 64 },
        });

        expect(ran).toMatchObject({ outcome: "succeeded", output: "limited\n" });
      });

      test("a fork bomb without end is ended with all it started, and a step beside it does not notice", async () => {
        const bomb = await mkdtemp(join(folder, "ws-bomb-"));
        const script = "bomb() { date +%N > beat; bomb & bomb; }; bomb 2>/dev/null";

        const [ran, beside] = await Promise.all([
          run(isolation, script, { workspace: bomb, timeoutMs: 3_000, limits: { processes: 48 } }),
          run(isolation, "sleep 1; echo fine"),
        ]);

        expect(["failed", "timed_out"]).toContain(ran.outcome);
        expect(ran.reason).toMatch(/timeout of 3s|exit code/);
        if (isolation.limits !== "rlimits") expect(ran.reason).toContain("it wanted more than 48 processes at once");
        expect(beside).toMatchObject({ outcome: "succeeded", output: "fine\n" });
        const last = await readFile(join(bomb, "beat"), "utf8").catch(() => "");
        await new Promise((resolve) => setTimeout(resolve, 200));
        expect(await readFile(join(bomb, "beat"), "utf8").catch(() => "")).toBe(last);
      });

      test("a step that takes too much memory is ended", async () => {
        const hog = "const held = []; for (;;) held.push(Buffer.alloc(8388608, 1));";

        const ran = await run(isolation, node(hog), { limits: { memoryBytes: 256 * mebibyte } });

        expect(ran.outcome).toBe("failed");
        if (isolation.limits !== "rlimits") expect(ran.reason).toBe("used more than 256 MiB of memory");
      });

      test("a step that fills the disk is ended", async () => {
        const script = "i=0; while :; do head -c 1048576 /dev/zero > f$i; i=$((i+1)); sleep 0.01; done";

        const ran = await run(isolation, script, { limits: { diskBytes: 20 * mebibyte } });

        expect(ran).toMatchObject({ outcome: "failed", reason: "used more than 20 MiB of disk" });
      });

      test("/tmp is small, private and gone afterwards", async () => {
        const workspace = await mkdtemp(join(folder, "ws-"));
        const first = await run(
          isolation,
          "ls /tmp; echo mine > /tmp/left; head -c 30000000 /dev/zero > /tmp/big || echo full",
          {
            workspace,
            limits: { diskBytes: 8 * mebibyte },
          },
        );
        const second = await run(isolation, "ls /tmp", { workspace });

        expect(first.output).toContain("full");
        expect(second.output).toBe("");
        expect(existsSync("/tmp/left")).toBe(false);
      });

      test("/dev/shm is small, private and gone afterwards", async () => {
        const limits = { diskBytes: 8 * mebibyte };
        const first = await run(
          isolation,
          "echo mine > /dev/shm/left; head -c 30000000 /dev/zero > /dev/shm/big || echo full",
          { limits },
        );
        const second = await run(isolation, "ls /dev/shm", { limits });

        expect(first.output).toMatch(/full/);
        expect(second.output).toBe("");
        expect(existsSync("/dev/shm/left")).toBe(false);
      });

      test("two steps in different workspaces run at once without seeing each other", async () => {
        const [one, two] = await Promise.all([
          run(isolation, "echo one > here; sleep 0.3; ls; ls /proc | grep -c '^[0-9]'"),
          run(isolation, "echo two > there; sleep 0.3; ls; ls /proc | grep -c '^[0-9]'"),
        ]);

        expect(one.output.split("\n")[0]).toBe("here");
        expect(two.output.split("\n")[0]).toBe("there");
        expect(Number(one.output.split("\n")[1])).toBeLessThan(8);
      });

      test("a recipe that cannot be set up is an error and not a failed step", async () => {
        await expect(run(isolation, "true", { mounts: [{ from: join(folder, "absent"), to: "/x" }] })).rejects.toThrow(
          /could not be set up/,
        );
      });

      test("everything ends when the platform is killed", async () => {
        const workspace = await mkdtemp(join(folder, "ws-"));
        const platform = join(folder, `platform-${method}-${tier.replace(" ", "-")}.ts`);
        const door = new URL("../src/index.ts", import.meta.url).pathname;
        await writeFile(
          platform,
          `import { probeIsolation, runStep } from ${JSON.stringify(door)};
           const isolation = await probeIsolation({ method: ${JSON.stringify(method)}, useCgroups: ${useCgroups} });
           await runStep({ isolation, identity: "x", workspace: ${JSON.stringify(workspace)}, timeoutMs: 60000,
             command: ["/bin/sh", "-c", "echo up; while :; do date +%N > beat; sleep 0.05; done"],
             onOutput: (chunk) => { process.stdout.write(chunk); } });`,
        );
        const source = "--conditions=@slipway/source";
        const child = spawn(process.execPath, [source, platform], { stdio: ["ignore", "pipe", "inherit"] });
        await new Promise((resolve) => child.stdout.once("data", resolve));

        child.kill("SIGKILL");
        await new Promise((resolve) => child.once("exit", resolve));

        const beat = (): Promise<string> => readFile(join(workspace, "beat"), "utf8").catch(() => "");
        const still = async (): Promise<boolean> => {
          const before = await beat();
          await new Promise((resolve) => setTimeout(resolve, 200));
          return before === (await beat());
        };
        await until(still, { what: "the step to end" });
      });
    });
  }
}

describe("the probe", () => {
  test("refuses a machine whose recipe fails, with what to do", async () => {
    const absent = join(folder, "no-such-node");

    const answer = await probeIsolation({ method: "namespaces", nodePath: absent });

    expect(answer).toMatchObject({ kind: "refused", remedy: expect.stringMatching(/user namespaces|util-linux/) });
  });

  test("gives no isolation only where it is asked for by name, and says so", async () => {
    const isolation = await probeIsolation({ method: "none" });

    expect(isolation).toMatchObject({ kind: "isolation", method: "none", description: expect.stringMatching(/^none/) });
    const ran = await run(isolation as Isolation, "echo out; echo err >&2; pwd");
    expect(ran.output).toMatch(/^out\nerr\n\/.*ws-/);
  });

  test("works with workspaces in a folder that only its owner can enter", async () => {
    const priv = join(folder, "private");
    await mkdir(priv, { mode: 0o700 });

    const answer = await probeIsolation({ workFolder: priv });

    if (answer.kind === "refused") expect(answer.remedy).not.toBe("");
    else expect(answer.method).toMatch(/bubblewrap|namespaces/);
  });
});
