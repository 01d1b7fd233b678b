// with-engine.mjs FOLDER DOCKERD PROGRAM... -- COMMAND...  runs a command beside a Docker engine of its own, whose data and socket lie in FOLDER.
// Containers use the network that this is in: no address is given out, and no rule of the machine's is touched. The engine is in a namespace of processes of
// its own, so that no container outlives it, and it does not outlive this: whoever ends which.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { leash } from "../check/processes.mjs";
import { engineAnswers } from "./backend.mjs";

const [folder, dockerd, ...rest] = process.argv.slice(2);
const programs = rest.slice(0, rest.indexOf("--"));
const [command, ...args] = rest.slice(rest.indexOf("--") + 1);
const startMs = 30_000;
const stopMs = 15_000;
const cgroup = `${basename(dirname(folder))}-containers`;

// The command is told by whoever ends the run, and its end is the end of this.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);
mkdirSync(folder, { recursive: true });
const address = `unix://${join(folder, "docker.sock")}`;
const log = join(folder, "dockerd.log");
const engine = startEngine();
try {
  await untilItAnswers();
  process.exitCode = await run();
} finally {
  await stopEngine();
  removeCgroups();
}

function startEngine() {
  const output = openSync(log, "a");
  const path = [...new Set([dockerd, ...programs].map(dirname)), process.env.PATH].join(delimiter);
  const places = ["--data-root", join(folder, "root"), "--exec-root", join(folder, "exec")];
  const ids = ["--pidfile", join(folder, "dockerd.pid"), "--host", address];
  const alone = ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"];
  const groups = ["--exec-opt", "native.cgroupdriver=cgroupfs", `--cgroup-parent=/${cgroup}`];
  const apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", dockerd];
  const [program, ...before] = [...leash, ...apart];
  return spawn(program, [...before, ...places, ...ids, ...alone, ...groups], {
    env: { ...process.env, PATH: path },
    stdio: ["ignore", output, output],
  });
}

async function untilItAnswers() {
  for (const deadline = performance.now() + startMs; !(await engineAnswers(address)); await pause(50)) {
    if (engine.exitCode === null && performance.now() < deadline) continue;
    throw new Error(
      `the container engine did not start: ${readFileSync(log, "utf8").trim().split("\n").slice(-3).join("; ")}`,
    );
  }
}

/** By the engine's own hand, so that it puts its containers away; what stands before it would only be killed with it. */
async function stopEngine() {
  if (engine.exitCode !== null || engine.signalCode !== null) return;
  const gone = new Promise((resolve) => engine.once("exit", resolve));
  const [inside] = readFileSync(`/proc/${engine.pid}/task/${engine.pid}/children`, "utf8").split(" ");
  if (inside === "") engine.kill("SIGKILL");
  else process.kill(Number(inside), "SIGTERM");
  await Promise.race([gone, pause(stopMs, undefined, { ref: false }).then(() => engine.kill("SIGKILL"))]);
  await gone;
}

function run() {
  const child = spawn(command, args, { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
  });
}

/** What the kernel keeps of it when all processes are gone. */
function removeCgroups() {
  const top = "/sys/fs/cgroup";
  for (const place of [top, ...readdirSync(top).map((name) => join(top, name))]) {
    const group = join(place, cgroup);
    if (!existsSync(group)) continue;
    const inner = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const path of [...inner.map(({ name }) => join(group, name)), group]) {
      try {
        rmdirSync(path);
      } catch {
        // Something is in it still: the next process of that number takes it along.
      }
    }
  }
}
