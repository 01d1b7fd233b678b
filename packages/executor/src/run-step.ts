import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import { type CarriedTools, carriedTools, machineTools } from "./carried-tools.ts";
import { makeGroup, podGroup, type StepGroup } from "./cgroups.ts";
import { type ChildEnd, startChild } from "./child.ts";
import { imageEntries, isFileInRoot } from "./image-root.ts";
import { bytesText, defaultLimits, prlimitArgs, timeText } from "./limits.ts";
import { homePath, rootEntries } from "./minimal-root.ts";
import {
  bubblewrapArgv,
  carriers,
  inPodArgv,
  insideUid,
  namespacesArgv,
  stepEnvironment,
  unisolatedArgv,
} from "./recipe.ts";
import { enterScript } from "./scripts.ts";
import type { Limits, StepRequest, StepResult } from "./types.ts";
import { folderBytes, giveTo, makeStage, uidOf } from "./workspace.ts";

const diskCheckMs = 1_000;

/** Why the platform itself ended a step. */
type Verdict = Pick<StepResult, "outcome"> & { readonly reason: string };

/**
 * Runs one command isolated and waits until nothing of it is left. Ends it at its time, output, memory or disk limit,
 * or when `signal` fires. Output is handed on in order, with backpressure.
 *
 * Throws when the isolation itself could not be set up (the step did not run), or when `onOutput` throws.
 */
export async function runStep(request: StepRequest): Promise<StepResult> {
  if (request.signal?.aborted === true) return { outcome: "cancelled", exitCode: null, reason: "cancelled" };
  const limits = { ...defaultLimits, ...request.limits };
  const { isolation } = request;
  const uid = uidOf(request.identity);
  const { root, shareNetwork = false } = request;
  if (root !== undefined && !isFileInRoot(root, "/bin/sh"))
    return { outcome: "failed", exitCode: null, reason: "the image has no shell (/bin/sh): name one that has" };
  const carried = root === undefined ? undefined : await carriedTools(isolation.nodePath);
  const stage = await makeStage(isolation.scratch, { uid: stepUid(request, uid), root, shareNetwork });
  let group: StepGroup | undefined;
  try {
    group =
      isolation.method === "pod" ? podGroup() : makeGroup(isolation.cgroups, `${process.pid}-${randomUUID()}`, limits);
    if (isolation.asRoot && !isBare(isolation)) await give(request, uid);
    return await supervise(request, limits, group, argvOf(request, limits, group, { ...stage, carried }, uid));
  } finally {
    group?.kill();
    group?.remove();
    await stage.remove();
  }
}

/** Whether nothing of ours stands between this process and the step. */
function isBare({ method }: StepRequest["isolation"]): boolean {
  return method === "none" || method === "pod";
}

async function give({ workspace, home }: StepRequest, uid: number): Promise<void> {
  await giveTo(workspace, uid);
  if (home !== undefined) await giveTo(home, uid);
}

function stepUid(request: StepRequest, uid: number): number {
  return request.isolation.asRoot && request.isolation.method === "namespaces" ? uid : insideUid;
}

function argvOf(
  request: StepRequest,
  limits: Limits,
  group: StepGroup,
  stage: { readonly root: string; readonly etc: string; readonly carried: CarriedTools | undefined },
  uid: number,
): [string, ...string[]] {
  const { isolation, root, home } = request;
  const carried = stage.carried?.mounts ?? [];
  const recipe = {
    asRoot: isolation.asRoot,
    uid,
    stage: stage.root,
    entries: rootEntries({
      shareNetwork: request.shareNetwork === true,
      workspace: request.workspace,
      nodePath: isolation.nodePath,
      etc: stage.etc,
      mounts: [...carried, ...(request.mounts ?? [])],
      tmpBytes: limits.tmpBytes,
      home,
      image: root === undefined ? undefined : imageEntries(root, stage.etc),
    }),
    rlimits: prlimitArgs(limits, group),
    env: { ...(home === undefined ? {} : { HOME: homePath }), ...request.env },
    secretNames: Object.keys(request.secretEnv ?? {}),
    command: request.command,
    shareNetwork: request.shareNetwork === true,
    tools: stage.carried ?? machineTools,
  };
  const argv = {
    bubblewrap: () => bubblewrapArgv(recipe),
    namespaces: () => namespacesArgv(recipe),
    none: () => unisolatedArgv(request.command),
    pod: () => inPodArgv(request.command, limits.processes),
  }[isolation.method]();
  return ["/bin/sh", "-eu", "-c", enterScript, "slipway-enter", ...group.procsFiles, "--", ...argv];
}

async function supervise(
  request: StepRequest,
  limits: Limits,
  group: StepGroup,
  argv: [string, ...string[]],
): Promise<StepResult> {
  let verdict: Verdict | undefined;
  let printed = 0;
  // In a pod no process outlives the step's first one.
  const child = startChild(argv, childPlace(request), request.isolation.method === "pod" ? group.kill : undefined);
  const end = (outcome: Verdict["outcome"], reason: string): void => {
    verdict ??= { outcome, reason };
    group.kill();
    child.kill();
  };
  const deadline = setTimeout(
    () => end("timed_out", `took longer than its timeout of ${timeText(request.timeoutMs)}`),
    Math.min(request.timeoutMs, 2 ** 31 - 1),
  );
  const cancel = (): void => end("cancelled", "cancelled");
  request.signal?.addEventListener("abort", cancel, { once: true });
  const folders = [request.workspace, ...(request.home === undefined ? [] : [request.home])];
  const disk = watchDisk(folders, limits.diskBytes, () =>
    end("failed", `used more than ${bytesText(limits.diskBytes)} of disk`),
  );
  try {
    const ended = await child.run(async (chunk) => {
      const room = limits.outputBytes - printed;
      printed += chunk.length;
      if (room > 0) await request.onOutput(chunk.subarray(0, room));
      if (printed > limits.outputBytes)
        end("failed", `printed more than ${bytesText(limits.outputBytes)}; the rest of its output is cut off`);
    });
    return conclude(request, verdict, group, limits, ended);
  } finally {
    clearTimeout(deadline);
    request.signal?.removeEventListener("abort", cancel);
    await disk.stop();
  }
}

function childPlace(request: StepRequest): { cwd: string; env: Record<string, string> } {
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const secrets = request.secretEnv ?? {};
  // All that a recipe starts with: it adds the step's own variables and takes nothing away.
  if (!isBare(request.isolation)) return { cwd: "/", env: { PATH: path, ...carriers(secrets) } };
  const home = request.home === undefined ? {} : { HOME: request.home };
  const own = request.isolation.method === "pod" ? {} : { PATH: `${dirname(request.isolation.nodePath)}:${path}` };
  const env = { ...stepEnvironment({ ...home, ...request.env }), ...secrets, ...own };
  return { cwd: request.workspace, env };
}

function conclude(
  request: StepRequest,
  verdict: Verdict | undefined,
  group: StepGroup,
  limits: Limits,
  ended: ChildEnd,
): StepResult {
  const processes = group.ranOutOfProcesses() ? `; it wanted more than ${limits.processes} processes at once` : "";
  if (verdict !== undefined) {
    const because = verdict.outcome === "cancelled" ? "" : processes;
    return { ...verdict, reason: `${verdict.reason}${because}`, exitCode: ended.code };
  }
  if (!ended.ready && !isBare(request.isolation)) {
    throw new Error(`the isolation (${request.isolation.method}) could not be set up: ${ended.stderr.trim()}`);
  }
  if (ended.code === 0) return { outcome: "succeeded", exitCode: 0 };
  const memory = `used more than ${bytesText(limits.memoryBytes)} of memory`;
  const reason = group.ranOutOfMemory() ? memory : `${exitText(ended)}${processes}`;
  return { outcome: "failed", exitCode: ended.code, reason };
}

function exitText(ended: ChildEnd): string {
  return ended.code === null ? `ended by ${ended.signal ?? "a signal"}` : `exit code ${ended.code}`;
}

/** Looks at the size of the folders now and then; a look never overlaps the next one. */
function watchDisk(paths: readonly string[], limit: number, onOver: () => void): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    const began = performance.now();
    if ((await folderBytes(paths, limit).catch(() => 0)) > limit) return onOver();
    // A big tree is looked at less often, so that looking stays below a tenth of a core.
    if (!stopped) schedule(Math.max(diskCheckMs, (performance.now() - began) * 10));
  };
  const schedule = (afterMs: number): void => {
    timer = setTimeout(() => {
      looking = look();
    }, afterMs);
  };
  schedule(diskCheckMs);
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      return looking;
    },
  };
}
