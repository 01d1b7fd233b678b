import type { DeploymentId, EnvironmentName, Epoch, RegionName, ServiceName, VersionName } from "@slipway/kernel";

/** Pino-compatible: object first, static message. */
export type Logger = {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
};

/** What is changed in one region: the namespace is the environment, the objects are named after the service. */
export type Target = {
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
};

/** The annotation `slipway.dev/fence: <epoch>/<seq>/<open|shut>/<D-id>` of a VirtualService. */
export type Fence = {
  readonly epoch: number;
  readonly seq: number;
  readonly gate: "open" | "shut";
  readonly holder: string;
};

export type TrafficView = {
  /** Whether the VirtualService exists. */
  readonly exists: boolean;
  /** Missing or unreadable means shut. */
  readonly fence: Fence | null;
  /** Reason given in `slipway.dev/paused`. */
  readonly paused: string | null;
  /** Percent by destination host: a version's name, or the service's own name while the base Service is the destination. */
  readonly weights: Readonly<Record<string, number>>;
  /** What the last write of Slipway left, by the same names; null where none is recorded. */
  readonly recorded: Readonly<Record<string, number>> | null;
  /** Whether the route that carries Slipway's weights is there, and which foreign one takes every request before it. */
  readonly routed: boolean;
  readonly hiddenBy: string | null;
  /** Who wrote last, as the API server names its clients (`kubectl-edit`); null where it does not say. */
  readonly writtenBy: string | null;
  /** The version that the base Service selects. */
  readonly liveVersion: VersionName | null;
  /** Whom the base Service selects where that is nobody of Slipway's (`app=orders`, or `nobody by labels`); absent where it is Slipway's, or is not there. */
  readonly foreign?: string | undefined;
  /** Both empty when nothing exists. */
  readonly resourceVersion: string;
  readonly uid: string;
};

/** As the VirtualService alone says it: where the base Service points is not watched. */
export type WatchedTraffic = Omit<TrafficView, "liveVersion" | "foreign">;

export type OpenFenceRequest = {
  readonly epoch: Epoch;
  readonly deployment: DeploymentId;
  /** Null for the first deployment of a service. */
  readonly baseline: VersionName | null;
};

export type RaiseRequest = {
  readonly epoch: Epoch;
  readonly deployment: DeploymentId;
  readonly baseline: VersionName | null;
  readonly canary: VersionName;
  /** 0 to 100, whole numbers (Istio knows no fractions). */
  readonly percent: number;
  /** What the caller knows the canary to have: less than that, and less than our last write, was lowered by somebody and stays. */
  readonly from?: number | undefined;
  /** Checked where the weight is written: in production nothing unproven is raised above 5%. */
  readonly exposure: { readonly production: boolean; readonly proven: boolean };
};

export type LowerRequest = {
  readonly epoch: Epoch;
  readonly deployment: DeploymentId;
  readonly baseline: VersionName | null;
  readonly canary: VersionName;
};

export type OpenFenceResult =
  | { readonly kind: "opened"; readonly seq: number }
  | { readonly kind: "stale"; readonly fence: Fence }
  | { readonly kind: "paused"; readonly reason: string };

export type RaiseRefusal =
  | "stale"
  | "shut"
  | "paused"
  | "conflict"
  | "not_ready"
  | "drifted"
  /** More than 5% of production for a version that is not proven. */
  | "unproven";

export type RaiseResult =
  | { readonly kind: "raised"; readonly seq: number }
  | { readonly kind: "refused"; readonly why: RaiseRefusal; readonly traffic: TrafficView };

export type LowerResult =
  | { readonly kind: "shut"; readonly seq: number }
  | { readonly kind: "stale"; readonly fence: Fence };

export type RepairRequest = LowerRequest & {
  /** What was approved: 0 to 100. */
  readonly percent: number;
};

/** `refused`: without a fence of this grant that is open there is nothing to keep; a lowering shuts it. */
export type RepairResult =
  | { readonly kind: "repaired"; readonly seq: number }
  | { readonly kind: "already" }
  | { readonly kind: "stale"; readonly fence: Fence }
  | { readonly kind: "refused" };

/** The fence of one service, as a list of the whole region shows it. */
export type FenceSeen = {
  readonly target: Target;
  readonly fence: Fence;
  readonly weights: Readonly<Record<string, number>>;
};

/** One version's workload: a Deployment, a Service, a DestinationRule and, where it has secrets, a Secret, all named after the version. */
export type WorkloadManifest = {
  readonly name: VersionName;
  readonly service: ServiceName;
  readonly environment: EnvironmentName;
  /** `<host>/<service>@sha256:<hex>`. */
  readonly image: string;
  readonly replicas: number;
  readonly env: Readonly<Record<string, string>>;
  /** Revisions of the secrets that the pods have, by the variable that each becomes. Their values are no part of a manifest. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly ready: { readonly path: string; readonly timeoutMs: number };
  /** Kubernetes quantities: `250m`, `256Mi`. */
  readonly resources: { readonly cpu: string; readonly memory: string };
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  readonly annotations: Readonly<Record<string, string>>;
};

/** Asked only where the version's Secret has to be made: once it stands, nobody needs to know its values again. */
export type SecretValues = () => Promise<Readonly<Record<string, string>>>;

export type WorkloadStatus = {
  readonly desired: number;
  readonly ready: number;
  /** Pods whose process has been started at least once: their image is there. */
  readonly begun: number;
  /** Why pods are not ready, in words of the region; empty when all are. */
  readonly reasons: readonly string[];
  /** Why the region makes no more pods although some are missing (a quota, a policy, a webhook that is away), in its own words; the first of the reasons. */
  readonly refused?: string;
};

export type WorkloadSummary = WorkloadStatus & { readonly version: VersionName; readonly epoch: number };

export type PodSummary = {
  readonly name: string;
  readonly version: VersionName;
  readonly ready: boolean;
  readonly restarts: number;
};

/**
 * What a write that carries an epoch answers. `stale`: the target belongs to a newer grant. `refused`: somebody paused
 * the service, the version still has (or does not have all) requests, or there is nothing to write to.
 */
export type FencedWrite =
  | { readonly kind: "done" }
  | { readonly kind: "stale"; readonly epoch: number }
  | {
      readonly kind: "refused";
      readonly why: "paused" | "in_use" | "not_live" | "absent";
      readonly detail: string;
    };

export type Subscription = { stop(): Promise<void> };

/**
 * One region through its Kubernetes API. Every call has a deadline and throws RegionUnavailable when the region does
 * not answer, RegionRejected when it answers with an error that no retry mends.
 */
export type RegionCluster = {
  readonly name: RegionName;
  /** Answers once the region's API does. */
  ping(): Promise<void>;
  readTraffic(target: Target): Promise<TrafficView>;
  /**
   * Takes the target for a new epoch and gives all traffic of our route to the baseline, where that is the live version. Creates the namespace,
   * the base Service and the VirtualService when absent.
   */
  openFence(target: Target, request: OpenFenceRequest): Promise<OpenFenceResult>;
  raise(target: Target, request: RaiseRequest): Promise<RaiseResult>;
  /** All traffic to the baseline and the gate shut for this epoch, in one write. */
  lower(target: Target, request: LowerRequest): Promise<LowerResult>;
  /** What somebody raised above the approved weight goes back to the baseline; the gate stays open. It never gives the canary more than it has. */
  repair(target: Target, request: RepairRequest): Promise<RepairResult>;
  /** The fences of all services in the region. */
  listFences(): Promise<readonly FenceSeen[]>;
  ensureWorkload(
    target: Target,
    manifest: WorkloadManifest,
    grant: { readonly epoch: Epoch; readonly deployment: DeploymentId },
    secretValues?: SecretValues,
  ): Promise<FencedWrite>;
  readWorkload(target: Target, version: VersionName): Promise<WorkloadStatus | null>;
  scaleWorkload(
    target: Target,
    version: VersionName,
    replicas: number,
    grant: { readonly epoch: Epoch },
  ): Promise<FencedWrite>;
  /** Makes the base Service select this version, which must have all traffic already (else refused, `not_live`). */
  follow(target: Target, request: { readonly epoch: Epoch; readonly version: VersionName }): Promise<FencedWrite>;
  /** Removes a version's routes and then its workload. Refused (`in_use`) while any route gives it requests. */
  retire(target: Target, version: VersionName, grant: { readonly epoch: Epoch }): Promise<FencedWrite>;
  /** What a pod of the version that is not ready printed last; empty where there is no such pod or log. */
  lastLines(target: Target, version: VersionName, count: number): Promise<readonly string[]>;
  listWorkloads(target: Target): Promise<readonly WorkloadSummary[]>;
  /** The pods of all the service's versions. */
  listPods(target: Target): Promise<readonly PodSummary[]>;
  /** The last `tail` lines a pod has printed, and with `follow` what comes, until it ends or `signal` says so. Empty lines are left out. */
  podLog(
    target: Target,
    pod: string,
    options: { readonly tail: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): Promise<AsyncIterable<string>>;
  /** Calls back with each state of the target's routes, first with the present one, until `stop` is called. `onChange` must not throw. */
  watchTraffic(target: Target, onChange: (traffic: WatchedTraffic) => void): Subscription;
  /** Keeps the routes of the whole region in memory until `stop` is called, so that a lowering begins with its write. Waits for nothing. */
  keepRoutes(): Subscription;
  close(): Promise<void>;
};

export type OpenRegionOptions = {
  /** Secret of each namespace with which nodes pull images. */
  readonly pullSecret?: string | undefined;
  /** The revision of Istio that puts sidecars into the pods of namespaces that are made. */
  readonly istioRevision?: string | undefined;
  readonly name: RegionName;
  /** Path of a kubeconfig file. */
  readonly kubeconfig: string;
  readonly context: string;
  readonly log: Logger;
  /** Time that one request may take; default 10 s. A lowering waits at most 2 s for one answer before it asks again. */
  readonly requestTimeoutMs?: number;
  /** Time that a lowering keeps trying before it throws; default 10 s. */
  readonly lowerDeadlineMs?: number;
};
