import { accessSync, constants, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { findCgroups, isAlive, removeStaleGroups } from "./cgroups.ts";
import { runStep } from "./run-step.ts";
import type { CgroupParent, Isolation, IsolationMethod, IsolationRefused, LimitTier } from "./types.ts";

export type ProbeOptions = {
  /** `auto`: bubblewrap where installed, else namespaces. `none` runs steps unprotected and must be asked for by name. */
  readonly method?: IsolationMethod | "auto";
  /** Where workspaces will be; the probe works in a folder made there. */
  readonly workFolder?: string;
  readonly scratch?: string;
  readonly nodePath?: string;
  /** False leaves control groups alone even where they are writable. */
  readonly useCgroups?: boolean;
};

const needed: Record<Exclude<IsolationMethod, "none">, readonly string[]> = {
  bubblewrap: ["bwrap", "setpriv", "prlimit", "unshare", "mount"],
  namespaces: ["unshare", "setpriv", "prlimit", "chroot", "mount"],
};
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const probeTimeoutMs = 20_000;

/** What must be true inside. Each line that fails names itself. */
const probeProgram = `
const fs = require("node:fs"), os = require("node:os"), net = require("node:net");
const problems = [];
const must = (holds, text) => { if (!holds) problems.push(text); };
const status = fs.readFileSync("/proc/self/status", "utf8");
must(/^CapEff:\\s*0+$/m.test(status), "capabilities are left");
must(/^NoNewPrivs:\\s*1$/m.test(status), "no_new_privs is not set");
must(process.getuid() !== 0, "the step is root");
must(Object.keys(os.networkInterfaces()).every((name) => name === "lo"), "there is a network");
must(!fs.existsSync("/root") && !fs.existsSync("/home"), "home folders are visible");
must(!fs.existsSync("/etc/shadow"), "/etc/shadow is visible");
let rootWritable = true;
try { fs.writeFileSync("/probe", ""); } catch { rootWritable = false; }
must(!rootWritable, "the root file system is writable");
fs.writeFileSync("/workspace/probe", ""); fs.writeFileSync("/tmp/probe", ""); fs.writeFileSync("/dev/shm/probe", "");
must(fs.readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name)).length < 8, "other processes are visible");
const server = net.createServer().listen(0, "127.0.0.1", () => server.close(() => {
  if (problems.length > 0) { console.log(problems.join("; ")); process.exitCode = 1; }
}));
server.on("error", (error) => { console.log("loopback is down: " + error.message); process.exitCode = 1; });
`;

/**
 * Finds the isolation this machine can give by running each recipe once as a whole. A sysctl or a version says nothing:
 * seccomp, AppArmor or a container may forbid what is installed. Answers a refusal with what to install or allow.
 */
export async function probeIsolation(options: ProbeOptions = {}): Promise<Isolation | IsolationRefused> {
  const scratch = options.scratch ?? tmpdir();
  const cgroups = options.useCgroups === false ? [] : findCgroups();
  removeStaleGroups(cgroups);
  await removeStaleStages(scratch);
  const base = {
    kind: "isolation",
    limits: tierOf(cgroups),
    asRoot: process.getuid?.() === 0,
    nodePath: options.nodePath ?? process.execPath,
    scratch,
    cgroups,
  } as const;
  if (options.method === "none") {
    return { ...base, method: "none", limits: "none", description: "none: steps can do whatever the platform can" };
  }
  if (process.platform !== "linux") return refused("this is not Linux", "Run the build service on Linux.");
  const asked = options.method ?? "auto";
  const failures: string[] = [];
  for (const method of asked === "auto" ? (["bubblewrap", "namespaces"] as const) : [asked]) {
    const isolation: Isolation = { ...base, method, description: `${method}, limits: ${base.limits}` };
    const failure = await failureOf(isolation, method, options.workFolder ?? scratch);
    if (failure === undefined) return isolation;
    failures.push(`${method}: ${failure}`);
  }
  return refused(failures.join(" | "), remedyFor(failures));
}

function tierOf(cgroups: readonly CgroupParent[]): LimitTier {
  const limiting = cgroups.find((parent) => parent.controllers.includes("memory"));
  if (limiting === undefined) return "rlimits";
  return limiting.version === 2 ? "cgroup v2" : "cgroup v1";
}

async function failureOf(
  isolation: Isolation,
  method: Exclude<IsolationMethod, "none">,
  workFolder: string,
): Promise<string | undefined> {
  const missing = needed[method].filter((program) => !installed(program));
  if (missing.length > 0) return `${missing.join(", ")} not installed`;
  const workspace = await mkdtemp(join(workFolder, "slipway-probe-"));
  let output = "";
  try {
    const result = await runStep({
      isolation,
      identity: `probe ${workspace}`,
      workspace,
      command: ["node", "-e", probeProgram],
      timeoutMs: probeTimeoutMs,
      onOutput: (chunk) => {
        output += Buffer.from(chunk).toString("utf8");
      },
    });
    if (result.outcome === "succeeded") return undefined;
    return `${output.trim()} (${result.reason ?? result.outcome})`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

function remedyFor(failures: readonly string[]): string {
  if (failures.every((failure) => failure.endsWith("not installed"))) {
    return "Install bubblewrap (Debian: apt-get install bubblewrap; Fedora: dnf install bubblewrap), or util-linux.";
  }
  return [
    "Allow user namespaces for the platform: sysctl kernel.unprivileged_userns_clone=1 (Debian),",
    "sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), sysctl user.max_user_namespaces=10000;",
    "in a container, --security-opt seccomp=unconfined --security-opt systempaths=unconfined (Docker; unmask=ALL for Podman).",
    "Or start with --no-isolation: steps then run unprotected and their artifacts are barred from prod.",
  ].join(" ");
}

function refused(reason: string, remedy: string): IsolationRefused {
  return { kind: "refused", reason, remedy };
}

function installed(program: string): boolean {
  return searchPath.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Removes stages whose platform died. They are empty: what was mounted on them went with its namespace. */
async function removeStaleStages(scratch: string): Promise<void> {
  for (const name of readdirSync(scratch)) {
    const pid = /^slipway-stage-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    await rm(join(scratch, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
