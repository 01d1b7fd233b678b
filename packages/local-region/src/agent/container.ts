import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fchownSync, openSync } from "node:fs";
import { chown, lstat, mkdir, readdir, readFile, readlink, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { within } from "@slipway/kernel";
import type { UnpackedImage } from "@slipway/oci";
import { accountEntries, podAccount } from "./pod-account.ts";
import type { PodPlace } from "./pod-place.ts";
import { isSafeVariable, type PodSpec } from "./pod-spec.ts";
import { bootId, firstChild, identify, isAlive, type ProcessIdentity, parseStat, signalProcess } from "./process.ts";
import { ownFolders, podArgv, type RootEntry } from "./recipe.ts";
import { podFolder } from "./state-files.ts";

export type ProcessPair = {
  /** `unshare --fork`: outside, hands on the exit code. */
  readonly outer: ProcessIdentity;
  /** First process of the pod's pid namespace: with it all of them end. */
  readonly inner: ProcessIdentity;
};

/** Null where the process was another agent's child, or never came to run the pod. */
export type Exit = { readonly code: number | null; readonly lost: boolean };

export type RunningContainer = {
  readonly processes: ProcessPair;
  readonly exited: Promise<Exit>;
  /** SIGTERM, the grace, SIGKILL. Resolves when the container is gone. */
  terminate(graceMs: number): Promise<void>;
};

export type StartRequest = {
  readonly dir: string;
  readonly pod: PodSpec;
  /** Values of the pod's secret variables: for its environment, and never for an argument or a file. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly image: UnpackedImage;
  /** A number of its own among the pods of the machine. */
  readonly slot: number;
  readonly place: PodPlace;
  readonly groups: readonly string[];
  readonly limitedByGroup: boolean;
  /** Whether this machine lets a pod be the image's USER by a user namespace. */
  readonly mapsUsers: boolean;
};

const logLimitBytes = 256 * 1_048_576;
const rlimitHeadroomBytes = 512 * 1_048_576;
const appearDeadlineMs = 5_000;
const adoptedPollMs = 200;
const killDeadlineMs = 10_000;
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Starts a pod's container. Throws when its processes do not appear. */
export async function startContainer(request: StartRequest): Promise<RunningContainer> {
  const { dir, pod, image } = request;
  const folder = podFolder(dir, pod.uid);
  const asRoot = process.getuid?.() === 0;
  const account = await podAccount(request.slot, image, { asRoot, mapsUsers: request.mapsUsers });
  const stage = join(folder, "root");
  await mkdir(stage, { recursive: true, mode: 0o755 });
  await rm(join(folder, "pid"), { force: true });
  await rename(join(folder, "log"), join(folder, "previous.log")).catch(() => undefined);
  await rm(join(folder, "log.1"), { force: true });
  const argv = podArgv({
    asRoot,
    account,
    pidFile: join(folder, "pid"),
    groups: request.groups,
    stage,
    hostname: pod.name,
    entries: [
      ...(await rootEntries(image.root, pod)),
      ...(await accountEntries(folder, image.root, account)),
      ...(await volumeEntries(folder, pod, asRoot ? account.host : undefined)),
    ],
    rlimits: rlimits(request),
    workingDir: pod.workingDir ?? image.workingDir,
    command: commandOf(pod, image),
  });
  const output = openSync(join(folder, "log"), "a", 0o600);
  try {
    if (asRoot) fchownSync(output, account.host, account.host);
    const [file, ...args] = argv;
    const env = environment(request);
    const child = spawn(file, args, { cwd: "/", env, detached: true, stdio: ["ignore", output, output] });
    return await running(child);
  } finally {
    closeSync(output);
  }
}

async function running(child: ChildProcess): Promise<RunningContainer> {
  const exited = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code: code ?? signalCode(signal), lost: false }));
    child.once("error", () => resolve({ code: null, lost: false }));
  });
  child.unref();
  const outer = child.pid === undefined ? undefined : identify(child.pid);
  const inner = outer === undefined ? undefined : await innerOf(outer, appearDeadlineMs);
  if (outer === undefined || inner === undefined) {
    if (outer !== undefined) signalProcess(outer, "SIGKILL");
    throw new Error("the container's processes did not appear");
  }
  return handle({ outer, inner }, exited);
}

/** Takes over a container that another agent started; undefined when it has ended. */
export async function adoptContainer(
  dir: string,
  uid: string,
  recorded: "starting" | ProcessPair | null,
): Promise<RunningContainer | undefined> {
  const processes = recorded === "starting" ? await announced(dir, uid) : (recorded ?? undefined);
  if (processes === undefined || !isAlive(processes.inner)) return undefined;
  return handle(processes, goneByItself(processes.inner));
}

/** The agent died between starting a process and writing down which: the process itself has told its number. */
async function announced(dir: string, uid: string): Promise<ProcessPair | undefined> {
  const line = await readFile(join(podFolder(dir, uid), "pid"), "utf8").catch(() => "");
  const outer = parseStat(line, bootId());
  if (outer === undefined || !isAlive(outer)) return undefined;
  const inner = await innerOf(outer, 1_000);
  return inner === undefined ? undefined : { outer, inner };
}

async function innerOf(outer: ProcessIdentity, deadlineMs: number): Promise<ProcessIdentity | undefined> {
  const deadline = performance.now() + deadlineMs;
  while (performance.now() < deadline && isAlive(outer)) {
    const inner = firstChild(outer.pid);
    if (inner !== undefined) return inner;
    await pause(2);
  }
  return undefined;
}

async function goneByItself(inner: ProcessIdentity): Promise<Exit> {
  while (isAlive(inner)) await pause(adoptedPollMs, undefined, { ref: false });
  return { code: null, lost: true };
}

function handle(processes: ProcessPair, exited: Promise<Exit>): RunningContainer {
  return {
    processes,
    exited,
    async terminate(graceMs) {
      // `unshare --fork` swallows SIGTERM: the inner process must get it.
      signalProcess(processes.inner, "SIGTERM");
      if (await isOver(exited, graceMs)) return;
      signalProcess(processes.inner, "SIGKILL");
      signalProcess(processes.outer, "SIGKILL");
      await isOver(exited, killDeadlineMs);
    },
  };
}

function isOver(exited: Promise<Exit>, ms: number): Promise<boolean> {
  return within(
    ms,
    exited.then(() => true),
    () => false,
  );
}

function signalCode(signal: NodeJS.Signals | null): number | null {
  const numbers: Partial<Record<NodeJS.Signals, number>> = {
    SIGHUP: 1,
    SIGINT: 2,
    SIGABRT: 6,
    SIGKILL: 9,
    SIGSEGV: 11,
    SIGTERM: 15,
  };
  return signal === null ? null : 128 + (numbers[signal] ?? 0);
}

function commandOf(pod: PodSpec, image: UnpackedImage): readonly string[] {
  const command = [...(pod.command ?? (pod.args === null ? image.command : [])), ...(pod.args ?? [])];
  if (command.length === 0) throw new Error("neither the pod nor its image says what to run");
  return command;
}

function environment({ pod, secrets, image, place }: StartRequest): Record<string, string> {
  const own = { HOSTNAME: pod.name, PORT: String(place.port), HOST: place.host };
  // Whoever may push a commit decides on these, and the tools that make a pod's namespaces would act on them as root.
  const forbidden = Object.keys(image.env).find((name) => !isSafeVariable(name));
  if (forbidden !== undefined)
    throw new Error(`the image sets ${forbidden.slice(0, 80)}, which cannot be set in a local region`);
  return { PATH: defaultPath, HOME: "/tmp", ...image.env, ...pod.env, ...secrets, ...own };
}

/** The pod's own folders, made with its first container. */
async function volumeEntries(folder: string, { volumes }: PodSpec, owner: number | undefined): Promise<RootEntry[]> {
  return Promise.all(
    volumes.map(async ({ volume, path }): Promise<RootEntry> => {
      const from = join(folder, "volumes", volume);
      await mkdir(from, { recursive: true, mode: 0o755 });
      if (owner !== undefined) await chown(from, owner, owner);
      return { kind: "rw", from, to: path };
    }),
  );
}

/** The image's top level, each entry bound read-only; what a pod has of its own is left out. */
async function rootEntries(root: string, { volumes }: PodSpec): Promise<RootEntry[]> {
  const own = new Set(volumes.map(({ path }) => path.slice(1)));
  const names = (await readdir(root)).filter((name) => !ownFolders.has(name) && !own.has(name));
  return await Promise.all(
    names.map(async (name): Promise<RootEntry> => {
      const from = join(root, name);
      const isLink = (await lstat(from)).isSymbolicLink();
      return isLink
        ? { kind: "link", target: await readlink(from), to: `/${name}` }
        : { kind: "ro", from, to: `/${name}` };
    }),
  );
}

/** Where no group holds the memory, each process is held apart, and loosely: reserved stacks count as data. */
function rlimits({ pod, limitedByGroup }: StartRequest): string[] {
  const data = limitedByGroup || pod.memoryBytes === null ? [] : [`--data=${pod.memoryBytes + rlimitHeadroomBytes}`];
  return ["--core=0", "--nproc=512", `--fsize=${logLimitBytes}`, ...data];
}
