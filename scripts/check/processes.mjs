import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const toolTimeoutMs = 5 * 60_000;

/** Where Node keeps what it compiled, for the tools, for the tests and for what they start: half a second of each. */
const compiledForTests = join(root, "node_modules/.cache/compiled-for-tests");

/** What comes after all others where there are too few cores: to be put before a program. */
export const unhurried = ["nice", "-n", "5"];

/** Stands right before a program: it dies with the process that started it, however that ends. Some of what may stand before a program would take it off. */
export const leash = existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "KILL"] : [];

/** Runs the program of an installed package as one check: it passes when the program ends with 0. */
export async function runTool(packageName, args, program) {
  const how = { timeoutMs: toolTimeoutMs, through: unhurried };
  const { code, output } = await runNode([programOf(packageName, program), ...args], how);
  return code === 0
    ? { passed: 1, failed: 0, skipped: 0, output: "" }
    : { passed: 0, failed: 1, skipped: 0, output: output || `${packageName} ended with ${code}` };
}

/** The path of a package's program, by its manifest: what lies in .bin is a shell script. */
export function programOf(packageName, program) {
  const folder = join(root, "node_modules", packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const path = typeof bin === "string" ? bin : (bin[program ?? packageName.split("/").at(-1)] ?? Object.values(bin)[0]);
  return createRequire(import.meta.url).resolve(join(folder, path));
}

const lookMs = 1_000;

/**
 * Runs Node in a process group of its own, so that a run that takes too long ends with everything that it started, and no longer than this lives.
 * With `show`, what it prints goes on at once and is not kept. `through`: a program and its arguments that end by running Node. `hangs`, asked each second:
 * why it has to end before its time; nothing while it may go on.
 */
export async function runNode(args, { cwd = root, timeoutMs, show = false, env = {}, through = [], hangs = () => {} }) {
  const [program, ...rest] = [...through, ...leash, process.execPath, ...args];
  const child = spawn(program, rest, {
    cwd,
    env: { ...process.env, NODE_COMPILE_CACHE: compiledForTests, NO_COLOR: "1", FORCE_COLOR: "0", ...env },
    stdio: ["ignore", show ? "inherit" : "pipe", show ? "inherit" : "pipe"],
    detached: true,
  });
  const end = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It is gone already.
    }
  };
  const interrupted = (signal) => {
    end(signal);
    process.exitCode = 130;
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, interrupted);
  let late;
  const cutOff = (why) => {
    late ??= why;
    end("SIGKILL");
  };
  const deadline = setTimeout(() => cutOff(`ended after ${Math.round(timeoutMs / 1_000)} s`), timeoutMs);
  const looking = setInterval(() => {
    const why = hangs();
    if (why !== undefined) cutOff(why);
  }, lookMs);
  const printed = [];
  child.stdout?.on("data", (chunk) => printed.push(chunk));
  child.stderr?.on("data", (chunk) => printed.push(chunk));
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exit, signal) => resolve(exit ?? signal));
  }).finally(() => {
    clearTimeout(deadline);
    clearInterval(looking);
    for (const signal of signals) process.off(signal, interrupted);
  });
  const output = Buffer.concat(printed).toString("utf8");
  return { code, late, output: late === undefined ? output : `${output}\n${late}` };
}
