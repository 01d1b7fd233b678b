import { getWatch, ProblemError } from "@slipway/contracts";
import type { VersionName } from "@slipway/kernel";
import { diffReadings, type Reading, type VersionReading } from "@slipway/metrics";
import type { Command } from "../domain/command.ts";
import type { Deployment, Plan } from "../domain/deployment.ts";
import { pause } from "./pause.ts";
import { type Context, currentState, type Ports, type Result } from "./ports.ts";

type Drain = Extract<Command, { type: "DrainAndRetire" }>;

const quietMs = 2_000;
/** Requests that the version would have had in the silence by the routes before: by chance it is silent once in 100,000 times, and it is asked again and again. */
const provingRequests = 12;
/** Half a minute: routes that take longer to reach the proxies would have to be looked for where they are made. */
const mostLooks = 15;

/**
 * Waits until the mesh has sent the version nothing for two seconds, then removes its workload. Where nobody can say which weights are served, as of
 * Istio, silence counts only where requests would have come by the old routes, whose counters may be scraped every quarter of a minute alone; where
 * there are too few of them it has to last for half a minute.
 */
export async function drainAndRetire(ports: Ports, command: Drain, ctx: Context): Result {
  const state = await currentState(ctx);
  const { plan } = state;
  const { region, epoch, version } = command;
  if (version !== plan.version) {
    const watch = await ports.client.call(getWatch, { params: { id: plan.id } }).catch(absent);
    // It was found bad in the last moment: the way back leads to these pods.
    if (watch?.state === "failed") return { kind: "done" };
    if (watch?.state === "watching" && watch.mode !== "verified")
      return { kind: "retry", afterMs: 500, reason: "the watch may still go back to it" };
  }
  const cluster = await ports.regions.cluster(region);
  // It never came to 100% by this deployment: somebody else brought the same version there, and its pods are theirs.
  const untried = state.phase === "restoring" && state.relock === "not_needed";
  if (untried && (await cluster.readTraffic(plan)).liveVersion === version)
    return { kind: "fact", fact: (now) => ({ type: "Retired", region, epoch, now }) };
  const silence = { plan, signal: ctx.signal, before: servedBefore(state, command) };
  const busy = await stillBusy(ports, command, silence);
  if (busy !== undefined) return { kind: "retry", afterMs: 1_000, reason: busy };
  const done = await cluster.retire(plan, version, { epoch });
  // What a newer grant holds is its to retire; what is gone already is retired.
  if (done.kind === "refused" && done.why !== "absent") return { kind: "retry", afterMs: 1_000, reason: done.detail };
  return { kind: "fact", fact: (now) => ({ type: "Retired", region, epoch, now }) };
}

/** What of all requests the routes before this way back, or before 100%, gave the version in the region, as a fraction; 0: it never had any. */
function servedBefore({ regions, plan }: Deployment, { region, version }: Drain): number {
  if (version === plan.version) return (regions[region]?.lowered?.fromPercent ?? 0) / 100;
  return 1 - (plan.steps.at(-2)?.weightPercent ?? 0) / 100;
}

type Silence = { readonly plan: Plan; readonly before: number; readonly signal: AbortSignal };

/**
 * Reads the mesh's own counters twice or more: not the watch, which ends before the version that was replaced is retired, and whose silence would say
 * nothing. A mesh that cannot be read, or that began to count anew in between, has shown nothing: the pods stay.
 */
async function stillBusy(
  ports: Ports,
  { region, version }: Drain,
  { plan, signal, before }: Silence,
): Promise<string | undefined> {
  const { environment, service } = plan;
  const other = version === plan.version ? plan.baselines[region] : plan.version;
  const asked = other == null ? [version] : [version, other];
  const read = () => ports.metrics(region).read({ environment, service, versions: asked });
  const first = await read();
  for (let looks = 1; ; looks += 1) {
    await pause(quietMs, signal);
    if (signal.aborted) return "it was called off";
    const last = await read();
    const { versions, reset } = diffReadings(only(first, version), only(last, version));
    if (reset) return `the mesh of ${region} began to count anew: its pods stay until it has been watched for a while`;
    const requests = requestsOf(versions[version]);
    if (requests > 0)
      return `the mesh of ${region} still sends it requests (${requests} in ${(looks * quietMs) / 1_000} s): its proxies do not have the routes yet that were written; istiod brings them`;
    const others = other == null ? 0 : requestsOf(diffReadings(first, last).versions[other]);
    const expected = (others * before) / Math.max(0.01, 1 - before);
    const isProof = last.servedWeight !== null || before === 0 || expected >= provingRequests;
    if (isProof || looks === mostLooks) return undefined;
  }
}

/** Of a version alone: what becomes of the other one's counters says nothing of its silence. */
function only(reading: Reading, version: VersionName): Reading {
  return { ...reading, versions: { [version]: reading.versions[version] ?? { hosts: {} } } };
}

function requestsOf(version: VersionReading | undefined): number {
  return Object.values(version?.hosts ?? {}).reduce((sum, host) => sum + host.requests, 0);
}

function absent(error: unknown): undefined {
  if (error instanceof ProblemError && error.code === "watch.not_found") return undefined;
  throw error;
}
