import type { InsideTools } from "./carried-tools.ts";
import { pathInside, type RootEntry, workspacePath } from "./minimal-root.ts";
import { launchScript, mergeScript, podScript, rootScript, stageScript } from "./scripts.ts";

/** Everything a recipe needs to become one argument vector. Pure: no recipe looks at the machine. */
export type RecipeRequest = {
  readonly asRoot: boolean;
  /** Host uid and gid of the step when the platform is root. */
  readonly uid: number;
  /** Empty folder for the step's mounts. */
  readonly stage: string;
  readonly entries: readonly RootEntry[];
  readonly rlimits: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Names alone: the values come through the environment (carriers), in this order. */
  readonly secretNames?: readonly string[];
  readonly command: readonly string[];
  readonly shareNetwork: boolean;
  readonly tools: InsideTools;
};

/** Uid that a step sees itself as where a user namespace hides the real one. */
export const insideUid = 1_000;

const shell = (script: string, name: string): string[] => ["/bin/sh", "-eu", "-c", script, name];
/** Kills the tree when the platform dies; set last, since a change of uid clears it. */
const dieWithParent = ["--pdeathsig", "KILL"];
const noPrivileges = ["--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"];

function asUid(uid: number): string[] {
  return [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
}

/** Environment of a step: nothing of the platform's own. */
export function stepEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  return { PATH: pathInside, HOME: "/tmp", TMPDIR: "/tmp", LANG: "C.UTF-8", CI: "true", ...env };
}

const carrier = "SLIPWAY_SECRET_";

/**
 * Secrets on their way in. Under numbers, so that no tool on the way acts on a variable's name, and in the environment, since
 * arguments of a process can be read by every user of the machine.
 */
export function carriers(secrets: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.values(secrets).map((value, index) => [`${carrier}${index}`, value]));
}

/** rlimits are set inside: RLIMIT_NPROC then counts the step's own user namespace or uid, not the platform's user. */
function launch(request: RecipeRequest): string[] {
  const limited = [...request.tools.prlimit, ...request.rlimits, "--"];
  return [
    ...limited,
    ...shell(launchScript, "slipway-launch"),
    workspacePath,
    ...secretNames(request),
    "--",
    ...request.command,
  ];
}

function secretNames({ secretNames: names = [] }: RecipeRequest): readonly string[] {
  const odd = names.find((name) => !/^[A-Z][A-Z0-9_]*$/.test(name));
  if (odd !== undefined) throw new Error(`${odd} is no name for a secret`);
  return names;
}

function assignments(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(stepEnvironment(env)).map(([name, value]) => `${name}=${value}`);
}

/**
 * util-linux alone. As root: own mount, pid, ipc, uts and net namespaces, then chroot and an unused uid. Else the same
 * inside a user namespace, and a second one around chroot, so that the step is not even root of the first. A process
 * in a chroot cannot make user namespaces of its own.
 */
export function namespacesArgv(request: RecipeRequest): string[] {
  const inside = [...request.tools.env, ...assignments(request.env), ...launch(request)];
  const enter = request.asRoot
    ? ["chroot", request.stage, ...request.tools.setpriv, ...asUid(request.uid)]
    : [
        ...["unshare", "--user", `--map-user=${insideUid}`, `--map-group=${insideUid}`, "--keep-caps"],
        ...[`--root=${request.stage}`, "--wd=/", ...request.tools.setpriv],
      ];
  return [
    ...["setpriv", ...dieWithParent, "--", "unshare", ...(request.asRoot ? [] : ["--user", "--map-root-user"])],
    ...[
      "--mount",
      "--propagation",
      "private",
      "--pid",
      "--ipc",
      "--uts",
      ...(request.shareNetwork ? [] : ["--net"]),
      "--fork",
      "--kill-child",
      "--",
    ],
    ...[
      ...shell(rootScript, "slipway-root"),
      request.shareNetwork ? "shared" : "own",
      request.stage,
      ...request.entries.flatMap(rootScriptArgs),
      "--",
    ],
    ...[...enter, ...noPrivileges, ...dieWithParent, "--", ...inside],
  ];
}

function rootScriptArgs(entry: RootEntry): [string, string, string] {
  if (entry.kind === "link") return ["link", entry.target, entry.to];
  if (entry.kind === "tmpfs") return ["tmpfs", String(entry.bytes), entry.to];
  if (entry.kind === "proc") return ["proc", "-", entry.to];
  return [entry.kind, entry.from, entry.to];
}

/**
 * bubblewrap. Started by root it is no boundary (its one mapped id would be host uid 0), so root first takes an unused
 * uid; as that uid cannot reach folders of root, the sources are bound below the stage beforehand.
 */
export function bubblewrapArgv(request: RecipeRequest): string[] {
  const sources = request.entries.filter(isBind).filter((entry) => entry.from !== entry.to);
  const moved = new Map(sources.map((entry, index) => [entry.to, { from: entry.from, at: `/s${index}` }]));
  const source = (entry: { from: string; to: string }): string => {
    const staged = request.asRoot ? moved.get(entry.to) : undefined;
    return staged === undefined ? entry.from : `${request.stage}${staged.at}`;
  };
  const bwrap = [
    ...[
      "bwrap",
      "--unshare-all",
      ...(request.shareNetwork ? ["--share-net"] : []),
      "--unshare-user",
      "--disable-userns",
      "--die-with-parent",
      "--new-session",
      "--cap-drop",
      "ALL",
    ],
    ...["--uid", String(insideUid), "--gid", String(insideUid), "--hostname", "build"],
    ...Object.entries(stepEnvironment(request.env)).flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--dev", "/dev", ...request.entries.flatMap((entry) => bubblewrapEntry(entry, source)), "--remount-ro", "/"],
    ...["--", ...launch(request)],
  ];
  if (!request.asRoot) return ["setpriv", ...dieWithParent, "--no-new-privs", "--", ...bwrap];
  return [
    ...["setpriv", ...dieWithParent, "--", "unshare", "--mount", "--propagation", "private", "--"],
    ...[...shell(stageScript, "slipway-stage"), request.stage],
    ...[...moved.values()].flatMap(({ from, at }) => [from, at]),
    ...["--", "setpriv", ...asUid(request.uid), ...noPrivileges, ...dieWithParent, "--", ...bwrap],
  ];
}

/** No isolation: the command as it is, its two streams merged. */
export function unisolatedArgv(command: readonly string[]): string[] {
  return [...shell(mergeScript, "slipway-step"), ...command];
}

/** In a pod: its runtime has done the rest. */
export function inPodArgv(command: readonly string[], processes: number): string[] {
  return [...shell(podScript, "slipway-step"), String(processes), ...command];
}

type Bind = Extract<RootEntry, { from: string }>;

function isBind(entry: RootEntry): entry is Bind {
  return (entry.kind === "ro" || entry.kind === "rw") && "from" in entry;
}

function bubblewrapEntry(entry: RootEntry, source: (entry: Bind) => string): string[] {
  if (entry.to.startsWith("/dev/") && entry.kind !== "tmpfs") return [];
  if (entry.kind === "link") return ["--symlink", entry.target, entry.to];
  if (entry.kind === "tmpfs") return ["--perms", "1777", "--size", String(entry.bytes), "--tmpfs", entry.to];
  if (entry.kind === "proc") return ["--proc", entry.to];
  return [entry.kind === "rw" ? "--bind" : "--ro-bind", source(entry), entry.to];
}
