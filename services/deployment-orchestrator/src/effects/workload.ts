import type { FencedWrite, RegionCluster, WorkloadManifest } from "@slipway/cluster";
import { ProblemError } from "@slipway/contracts";
import type { Outcome } from "@slipway/durable";
import type { VersionName } from "@slipway/kernel";
import { lineMasker, maskerFor } from "@slipway/secrets";
import type { Command } from "../domain/command.ts";
import type { Plan } from "../domain/deployment.ts";
import type { Input } from "../domain/input.ts";
import { knownCause } from "../domain/known-cause.ts";
import { whyNotReady } from "../domain/not-ready.ts";
import { pause } from "./pause.ts";
import { type Context, currentState, type Ports, type Result } from "./ports.ts";

type Of<T extends Command["type"]> = Extract<Command, { type: T }>;

const pollMs = 200;
/** A region that answers nothing for so long is told as the reason of the wait; one poll that fails is no news and costs one poll. */
const unreadableMs = 5_000;
const readAgainMs = 1_000;
/** Beyond the service's own readiness time: pulling and unpacking the image. */
const pullMs = 120_000;
/** A program of Node or Python that ends with an exception says what it was some twenty lines before its end. */
const lastLinesTold = 30;
const podsTold = 10;

/** Creates or grows the version's workload and waits until all its pods are ready. */
export async function prepareWorkload(ports: Ports, command: Of<"PrepareWorkload">, ctx: Context): Result {
  const state = await currentState(ctx);
  const { plan } = state;
  const { region, epoch, step, replicas } = command;
  const cluster = await ports.regions.cluster(region);
  const failed = (reason: string): Outcome<Input> => {
    return { kind: "fact", fact: (now) => ({ type: "WorkloadFailed", region, epoch, step, reason, now }) };
  };
  if (step === 0) await retireOthers(cluster, plan, command, await ports.wayBack(state));
  const ensured = await ensureWorkload(ports, cluster, plan, command);
  if ("reason" in ensured) return failed(ensured.reason);
  const writes = [ensured, await cluster.scaleWorkload(plan, plan.version, replicas, { epoch })];
  const refused = writes.find((write) => write.kind === "refused");
  if (refused !== undefined) return { kind: "retry", afterMs: 1_000, reason: refused.detail };
  const stale = writes.find((write) => write.kind === "stale");
  if (stale !== undefined) {
    return failed(`a newer grant (epoch ${stale.epoch}) holds its workload`);
  }
  const failure = await untilReady(ports, cluster, { plan, replicas, signal: ctx.signal });
  if (failure === undefined)
    return { kind: "fact", fact: (now) => ({ type: "WorkloadReady", region, epoch, step, now }) };
  if (failure.unreadable === true) return { kind: "retry", afterMs: readAgainMs, reason: failure.reason };
  if (ctx.signal.aborted) return { kind: "retry", afterMs: 100, reason: failure.reason };
  const lines = await cluster.lastLines(plan, plan.version, lastLinesTold).catch(() => []);
  const told = await withoutSecrets(ports, plan, {
    ...failure,
    reason: `${failure.reason}${knownCause(lines)}`,
    lines,
  });
  return { kind: "fact", fact: (now) => ({ type: "WorkloadFailed", region, epoch, step, ...told, now }) };
}

type NotReady = { readonly reason: string; readonly pods: readonly string[]; readonly unreadable?: boolean };
type Told = Omit<NotReady, "unreadable"> & { readonly lines: readonly string[] };

/** What its pods printed and the region says of them is stored and shown: without the values that they were given. */
async function withoutSecrets(ports: Ports, { service, environment }: Plan, told: Told): Promise<Told> {
  const values = await ports.secrets.everyValue({ service, scope: environment });
  const mask = maskerFor(values);
  return { reason: mask(told.reason), pods: told.pods.map(mask), lines: told.lines.map(lineMasker(values)) };
}

/** Values are decrypted here, when a region has to be told them, and nowhere else. What cannot be decrypted fails, with the reason. */
async function ensureWorkload(
  ports: Ports,
  cluster: RegionCluster,
  plan: Plan,
  { replicas, epoch }: Of<"PrepareWorkload">,
): Promise<FencedWrite | { readonly reason: string }> {
  const { service, environment: scope, workload } = plan;
  const values = () => ports.secrets.read({ service, scope }, workload.secrets ?? {});
  try {
    return await cluster.ensureWorkload(plan, manifestOf(plan, replicas), { epoch, deployment: plan.id }, values);
  } catch (error) {
    if (error instanceof ProblemError && error.code.startsWith("secret.")) return { reason: error.message };
    throw error;
  }
}

function manifestOf(plan: Plan, replicas: number): WorkloadManifest {
  const { image, env, secrets = {}, ready, resources, graceMs } = plan.workload;
  const { version: name, service, environment } = plan;
  const annotations = { "slipway.dev/git-sha": plan.gitSha, "slipway.dev/digest": plan.digest };
  return {
    name,
    service,
    environment,
    image,
    replicas,
    env: { ...env, SLIPWAY_VERSION: name },
    secrets,
    ready,
    resources,
    graceMs,
    annotations,
  };
}

/** Versions that an earlier grant left standing and that nobody tries or would return to. */
async function retireOthers(
  cluster: RegionCluster,
  plan: Plan,
  command: Of<"PrepareWorkload">,
  wayBack: readonly VersionName[],
): Promise<void> {
  const keep = [plan.version, plan.baselines[command.region], ...wayBack];
  for (const { version } of await cluster.listWorkloads(plan)) {
    if (!keep.includes(version)) await cluster.retire(plan, version, { epoch: command.epoch });
  }
}

/** Undefined once all are ready; else why not, when the time is up. The service's own time runs once its processes do. */
async function untilReady(
  ports: Ports,
  cluster: RegionCluster,
  what: { plan: Plan; replicas: number; signal: AbortSignal },
): Promise<NotReady | undefined> {
  const { timeoutMs } = what.plan.workload.ready;
  let deadline = ports.clock.monotonicMs() + timeoutMs + pullMs;
  let begun = false;
  let found: NotReady = { reason: "its pods were not created", pods: [] };
  const unread = unreadFor(ports);
  // That they are not ready is said only of pods that were read.
  while ((ports.clock.monotonicMs() < deadline || unread.now()) && !what.signal.aborted) {
    const status = await cluster.readWorkload(what.plan, what.plan.version).catch(asError);
    const tooLong = unread.seen(status);
    if (tooLong !== undefined) return tooLong;
    if (status instanceof Error || status === null) {
      await pause(pollMs, what.signal);
      continue;
    }
    if (status.desired >= what.replicas && status.ready >= what.replicas) return undefined;
    const pods = status.reasons.slice(0, podsTold);
    found = { reason: whyNotReady(status.reasons, { ready: status.ready, wanted: what.replicas }), pods };
    if (!begun && status.begun >= what.replicas) {
      begun = true;
      deadline = Math.min(deadline, ports.clock.monotonicMs() + timeoutMs);
    }
    await pause(pollMs, what.signal);
  }
  return found;
}

/** For how long its pods could not be read, and whether that is longer than a poll or two. */
function unreadFor({ clock }: Ports) {
  let readAt = clock.monotonicMs();
  let isUnread = false;
  return {
    now: () => isUnread,
    seen(status: unknown): NotReady | undefined {
      isUnread = status instanceof Error;
      if (!(status instanceof Error)) {
        readAt = clock.monotonicMs();
        return undefined;
      }
      if (clock.monotonicMs() - readAt <= unreadableMs) return undefined;
      return { reason: `its pods cannot be read: ${status.message}`, pods: [], unreadable: true };
    },
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
