import {
  type Fence,
  type FenceSeen,
  type LowerRequest,
  type OpenFenceRequest,
  type RaiseRefusal,
  type RaiseRequest,
  type RegionCluster,
  RegionUnavailable,
  type RepairRequest,
  type TrafficView,
} from "@slipway/cluster";
import type { RegionName, VersionName } from "@slipway/kernel";

/** What watch and mesh of the tests see of a region. */
export type SeenRegion = {
  readonly region: RegionName;
  readonly weights: Readonly<Record<string, number>>;
  readonly live: VersionName | null;
  /** The client that the effects work with. */
  readonly client: RegionCluster;
};

type Workload = { desired: number; epoch: number };

/**
 * One region in memory with the rules of the fence: epochs, open and shut, weights, workloads whose pods are ready at once. It writes down
 * what was done, and what should never have been asked of it.
 */
export class ScriptedCluster implements SeenRegion {
  readonly region: RegionName;
  fence: Fence | null = null;
  live: VersionName | null = null;
  weights: Record<string, number> = {};
  readonly workloads = new Map<string, Workload>();
  /** Each write that took hold. */
  readonly done: string[] = [];
  readonly violations: string[] = [];
  readonly #listeners = new Set<() => void>();
  away = false;
  /** Its pods start and do not become ready. */
  neverReady = false;
  /** What somebody with kubectl may change; `changes` is the object's resourceVersion. */
  paused: string | null = null;
  routed = true;
  deleted = false;
  changes = 0;
  recorded: Record<string, number> | null = null;
  written = false;

  constructor(region: RegionName, live: VersionName | null) {
    this.region = region;
    this.live = live;
    if (live === null) return;
    this.weights = { [live]: 100 };
    this.workloads.set(live, { desired: 4, epoch: 0 });
  }

  /** The client that the effects work with. */
  get client(): RegionCluster {
    const answer =
      <A extends unknown[], R>(work: (...args: A) => R) =>
      async (...args: A): Promise<R> => {
        await new Promise((resolve) => setImmediate(resolve));
        if (this.away) throw new RegionUnavailable(this.region, "it is away");
        return work(...args);
      };
    return {
      name: this.region,
      ping: answer(() => undefined),
      readTraffic: answer(() => this.#view()),
      openFence: answer((_target, request: OpenFenceRequest) => this.#open(request)),
      raise: answer((_target, request: RaiseRequest) => this.#raise(request)),
      lower: answer((_target, request: LowerRequest) => this.#lower(request)),
      repair: answer((_target, request: RepairRequest) => this.#repair(request)),
      listFences: answer((): FenceSeen[] => {
        const target = { environment: "prod", service: "orders" } as FenceSeen["target"];
        return this.fence === null ? [] : [{ target, fence: this.fence, weights: this.weights }];
      }),
      ensureWorkload: answer((_target, manifest, { epoch }) => this.#ensure(manifest.name, manifest.replicas, epoch)),
      readWorkload: answer((_target, version) => this.#read(version)),
      scaleWorkload: answer((_target, version, replicas, { epoch }) => this.#ensure(version, replicas, epoch)),
      follow: answer((_target, { epoch, version }) => this.#follow(version, epoch)),
      retire: answer((_target, version, { epoch }) => this.#retire(version, epoch)),
      listPods: answer(() => []),
      podLog: answer(async function* () {}),
      listWorkloads: answer(() =>
        [...this.workloads].map(([version, { desired, epoch }]) => {
          return { version: version as VersionName, epoch, desired, ready: desired, begun: desired, reasons: [] };
        }),
      ),
      lastLines: answer(() => []),
      keepRoutes: () => ({ stop: async () => undefined }),
      watchTraffic: (_target, onChange) => {
        const listener = () => onChange(this.#view());
        this.#listeners.add(listener);
        return { stop: async () => void this.#listeners.delete(listener) };
      },
      close: async () => undefined,
    };
  }

  /** What a person does with kubectl: nothing of it is ours, and a watch tells of it. */
  byHand(change: Partial<Pick<ScriptedCluster, "weights" | "paused" | "routed" | "deleted" | "fence">>): void {
    Object.assign(this, change);
    if (change.deleted === true) this.fence = null;
    this.changes += 1;
    for (const listener of this.#listeners) listener();
  }

  #repair({ epoch, baseline, canary, percent }: RepairRequest) {
    const { fence } = this;
    if (fence !== null && fence.epoch > epoch) return { kind: "stale", fence } as const;
    if (fence?.epoch !== epoch || fence.gate === "shut") return { kind: "refused" } as const;
    const surplus = (this.weights[canary] ?? 0) - percent;
    if (surplus <= 0) return { kind: "already" } as const;
    const rest = baseline ?? "base";
    this.#give({ ...this.weights, [canary]: percent, [rest]: (this.weights[rest] ?? 0) + surplus });
    return { kind: "repaired", seq: this.#write(epoch, "open", fence.holder, `repair ${canary} ${percent}`) } as const;
  }

  #view(): TrafficView {
    const { fence, weights, live, recorded, paused, routed, changes } = this;
    return {
      ...{ exists: !this.deleted && this.written, fence, paused, weights, recorded, routed, hiddenBy: null },
      ...{ writtenBy: null, liveVersion: live, resourceVersion: String(changes), uid: "u" },
    };
  }

  #open({ epoch, deployment, baseline }: OpenFenceRequest) {
    const found = this.fence;
    if (found !== null && found.epoch === epoch && found.gate === "open")
      return { kind: "opened", seq: found.seq } as const;
    if (found !== null && found.epoch >= epoch) return { kind: "stale", fence: found } as const;
    if (baseline !== null && baseline === this.live) this.#give({ [baseline]: 100 });
    return { kind: "opened", seq: this.#write(epoch, "open", deployment, `open ${epoch}`) } as const;
  }

  #refusal({ epoch, canary, percent, from, exposure }: RaiseRequest): RaiseRefusal | null {
    if (exposure.production && !exposure.proven && percent > 5) {
      this.violations.push(`unproven ${percent}%`);
      return "unproven";
    }
    if ((this.fence?.epoch ?? 0) > epoch) return "stale";
    if (this.fence?.epoch !== epoch || this.fence.gate === "shut") return "shut";
    if (this.paused !== null) return "paused";
    const recorded = this.recorded?.[canary] ?? 0;
    const lowered = (this.weights[canary] ?? 0) < Math.min(recorded, from ?? recorded);
    return !this.routed || lowered ? "drifted" : null;
  }

  #raise(request: RaiseRequest) {
    const { epoch, deployment, baseline, canary, percent } = request;
    const why = this.#refusal(request);
    if (why !== null) return { kind: "refused", why, traffic: this.#view() } as const;
    const seq = this.fence?.seq ?? 0;
    if (this.weights[canary] === percent) return { kind: "raised", seq } as const;
    if (!this.workloads.has(canary)) this.violations.push(`weight before workload: ${canary}`);
    if (baseline !== null && baseline !== this.live) this.violations.push(`${baseline} is not what serves`);
    if ((this.weights[canary] ?? 0) > percent) this.violations.push(`a raise to ${percent} lowers ${canary}`);
    this.#give({ [baseline ?? "base"]: 100 - percent, [canary]: percent });
    return { kind: "raised", seq: this.#write(epoch, "open", deployment, `raise ${canary} ${percent}`) } as const;
  }

  #lower({ epoch, deployment, baseline, canary }: LowerRequest) {
    const found = this.fence;
    if (found !== null && found.epoch > epoch) return { kind: "stale", fence: found } as const;
    const isLow = (this.weights[canary] ?? 0) === 0;
    if (found?.epoch === epoch && found.gate === "shut" && isLow) return { kind: "shut", seq: found.seq } as const;
    if (baseline !== null && !this.workloads.has(baseline)) this.violations.push(`traffic to nothing: ${baseline}`);
    this.#give({ [baseline ?? "base"]: 100 });
    if (this.live === canary) this.live = baseline;
    return { kind: "shut", seq: this.#write(epoch, "shut", deployment, `lower ${canary}`) } as const;
  }

  #ensure(version: VersionName, desired: number, epoch: number) {
    if ((this.fence?.epoch ?? 0) > epoch) return { kind: "stale", epoch: this.fence?.epoch ?? 0 } as const;
    if (this.workloads.get(version)?.desired !== desired) this.done.push(`workload ${version} ${desired}`);
    this.workloads.set(version, { desired, epoch });
    return { kind: "done" } as const;
  }

  #read(version: VersionName) {
    const found = this.workloads.get(version);
    return found === undefined
      ? null
      : { desired: found.desired, ready: this.neverReady ? 0 : found.desired, begun: found.desired, reasons: [] };
  }

  #follow(version: VersionName, epoch: number) {
    if ((this.fence?.epoch ?? 0) > epoch) return { kind: "stale", epoch: this.fence?.epoch ?? 0 } as const;
    if (this.weights[version] !== 100)
      return { kind: "refused", why: "not_live", detail: "it has not all traffic" } as const;
    if (this.live !== version) this.done.push(`follow ${version}`);
    this.live = version;
    return { kind: "done" } as const;
  }

  #retire(version: VersionName, epoch: number) {
    if ((this.fence?.epoch ?? 0) > epoch) return { kind: "stale", epoch: this.fence?.epoch ?? 0 } as const;
    if ((this.weights[version] ?? 0) > 0) {
      this.violations.push(`retired before lowered: ${version}`);
      return { kind: "refused", why: "in_use", detail: "it has requests" } as const;
    }
    if (this.workloads.delete(version)) this.done.push(`retire ${version}`);
    return { kind: "done" } as const;
  }

  #give(weights: Record<string, number>): void {
    this.weights = weights;
  }

  #write(epoch: number, gate: Fence["gate"], holder: string, what: string): number {
    const seq = (this.fence?.seq ?? 0) + 1;
    this.fence = { epoch, seq, gate, holder };
    this.recorded = { ...this.weights };
    this.written = true;
    this.deleted = false;
    this.changes += 1;
    this.done.push(what);
    return seq;
  }
}
