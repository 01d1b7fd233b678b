import type { RegionName } from "@slipway/kernel";
import { pause, read } from "./calls.ts";
import { type Connection, connect } from "./connection.ts";
import { lastLines } from "./last-lines.ts";
import { follow, retire } from "./live.ts";
import { lower, repair } from "./lower.ts";
import type { Effects } from "./objects.ts";
import { podLog, podSummaries } from "./pods.ts";
import type { Logger, OpenRegionOptions, RegionCluster } from "./port.ts";
import { listFences, openFence, raise, readTraffic } from "./traffic.ts";
import { TrafficWatch } from "./traffic-watch.ts";
import { ensureWorkload, listWorkloads, readWorkload, scaleWorkload } from "./workloads.ts";

/** Opens one region. Nothing is asked of it yet: a region that is away can be opened and answers later. */
export async function openRegion(options: OpenRegionOptions): Promise<RegionCluster> {
  const { name, kubeconfig, context, log, pullSecret, istioRevision } = options;
  const { requestTimeoutMs = 10_000, lowerDeadlineMs = 10_000 } = options;
  const connection = await connect({ region: name, kubeconfig, context, timeoutMs: requestTimeoutMs });
  return regionOver(connection, { name, log, pullSecret, istioRevision, requestTimeoutMs, lowerDeadlineMs });
}

export type RegionOptions = {
  readonly name: RegionName;
  readonly log: Logger;
  readonly pullSecret?: string | undefined;
  readonly istioRevision?: string | undefined;
  readonly requestTimeoutMs: number;
  readonly lowerDeadlineMs: number;
  readonly random?: () => number;
  readonly monotonicMs?: () => number;
  readonly pause?: (ms: number) => Promise<void>;
};

/** A region over any connection. */
export function regionOver(connection: Connection, options: RegionOptions): RegionCluster {
  const effects: Effects = {
    connection,
    lastTold: (target) => watches.lastTold(target),
    log: options.log,
    pullSecret: options.pullSecret,
    istioRevision: options.istioRevision,
    random: options.random ?? Math.random,
    monotonicMs: options.monotonicMs ?? (() => performance.now()),
    pause: options.pause ?? pause,
    lowerDeadlineMs: options.lowerDeadlineMs,
    lowerRequestMs: Math.min(options.requestTimeoutMs, 2_000),
  };
  const watches = new TrafficWatch(effects);
  return {
    name: options.name,
    async ping() {
      await read(connection, "/version");
    },
    readTraffic: (target) => readTraffic(effects, target),
    openFence: (target, request) => openFence(effects, target, request),
    raise: (target, request) => raise(effects, target, request),
    lower: (target, request) => lower(effects, target, request),
    repair: (target, request) => repair(effects, target, request),
    listFences: () => listFences(effects),
    ensureWorkload: (target, manifest, grant, values) => ensureWorkload(effects, target, manifest, grant, values),
    readWorkload: (target, version) => readWorkload(effects, target, version),
    scaleWorkload: (target, version, replicas, grant) => scaleWorkload(effects, target, version, replicas, grant),
    follow: (target, request) => follow(effects, target, request),
    retire: (target, version, grant) => retire(effects, target, version, grant),
    lastLines: (target, version, count) => lastLines(effects, target, version, count),
    listWorkloads: (target) => listWorkloads(effects, target),
    listPods: (target) => podSummaries(effects, target),
    podLog: (target, pod, options) => podLog(effects, target, pod, options),
    watchTraffic: (target, onChange) => watches.add(target, onChange),
    keepRoutes: () => watches.keep(),
    async close() {
      await watches.stop();
      await connection.close();
    },
  };
}
