import { getWatch, ProblemError } from "@slipway/contracts";
import { diffReadings } from "@slipway/metrics";
import type { Command } from "../domain/command.ts";
import type { Plan } from "../domain/deployment.ts";
import { pause } from "./pause.ts";
import { type Context, currentState, type Ports, type Result } from "./ports.ts";

type Drain = Extract<Command, { type: "DrainAndRetire" }>;

const quietMs = 2_000;

/** Waits until the mesh has sent the version nothing for two seconds, then removes its workload. */
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
  const busy = await stillBusy(ports, command, { plan, signal: ctx.signal });
  if (busy !== undefined) return { kind: "retry", afterMs: 1_000, reason: busy };
  const done = await cluster.retire(plan, version, { epoch });
  // What a newer grant holds is its to retire; what is gone already is retired.
  if (done.kind === "refused" && done.why !== "absent") return { kind: "retry", afterMs: 1_000, reason: done.detail };
  return { kind: "fact", fact: (now) => ({ type: "Retired", region, epoch, now }) };
}

/**
 * Reads the mesh's own counters twice: not the watch, which ends before the version that was replaced is retired, and whose silence would say
 * nothing. A mesh that cannot be read, or that began to count anew in between, has shown nothing: the pods stay.
 */
async function stillBusy(
  ports: Ports,
  { region, version }: Drain,
  { plan, signal }: { plan: Plan; signal: AbortSignal },
): Promise<string | undefined> {
  const { environment, service } = plan;
  const read = () => ports.metrics(region).read({ environment, service, versions: [version] });
  const before = await read();
  await pause(quietMs, signal);
  if (signal.aborted) return "it was called off";
  const { versions, reset } = diffReadings(before, await read());
  if (reset) return `the mesh of ${region} began to count anew: its pods stay until it has been watched for a while`;
  const requests = Object.values(versions[version]?.hosts ?? {}).reduce((sum, host) => sum + host.requests, 0);
  if (requests === 0) return undefined;
  return `the mesh of ${region} still sends it requests (${requests} in ${quietMs / 1_000} s): its proxies do not have the routes yet that were written; istiod brings them`;
}

function absent(error: unknown): undefined {
  if (error instanceof ProblemError && error.code === "watch.not_found") return undefined;
  throw error;
}
