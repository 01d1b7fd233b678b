import type { Counts, RegionState, Verdict } from "@slipway/contracts";
import type {
  DeploymentId,
  Digest,
  EnvironmentName,
  Epoch,
  GitSha,
  Instant,
  RegionName,
  ServiceName,
  VersionName,
} from "@slipway/kernel";

/**
 * The life of a deployment.
 *
 *   accepted ─▶ queued ─▶ opening ─▶ preparing ─▶ raising ⇄ baking ─▶ finishing ─▶ watching ─▶ verified
 *                                        │           ▲  │
 *                                        ▼           │  ▼
 *                               awaiting_approval    held          any of them ─▶ restoring ─▶ rolled_back | failed | cancelled
 *
 * A phase carries exactly the fields it needs; what is fixed when the deployment is accepted stands in `plan` (never changed).
 */
export type Deployment =
  | Of<"accepted">
  | Of<"queued", { behind: string; since: Instant }>
  | Of<"opening", Granted & { opened: readonly RegionName[]; since: Instant }>
  | Of<"preparing", Granted & { ready: readonly RegionName[]; since: Instant }>
  | Of<"awaiting_approval", Granted & { step: number; since: Instant }>
  | Of<"raising", Granted & Raising>
  | Of<"baking", Granted & Baking>
  | Of<"held", Granted & Held>
  | Of<"finishing", Granted & { followed: readonly RegionName[]; settled: boolean; since: Instant }>
  | Of<"watching", Granted & { since: Instant; replacedBy: DeploymentId | null }>
  /** `since`: when it came to 100%; absent in older rows. */
  | Of<"verified", Granted & { at: Instant; since?: Instant }>
  | Of<"restoring", Restoring>
  | Of<"rolled_back", Ended>
  | Of<"failed", Ended>
  | Of<"cancelled", Ended>
  | Of<"superseded", Ended>;

type Of<P extends string, Fields = unknown> = { readonly phase: P } & Common & Readonly<Fields>;

export type Phase = Deployment["phase"];
export type In<P extends Phase> = Extract<Deployment, { phase: P }>;

/** What every phase carries. */
export type Common = {
  readonly plan: Plan;
  readonly gates: readonly Gate[];
  readonly approval: Approval | null;
  readonly regions: Readonly<Record<string, RegionProgress>>;
};

/** Fixed when the deployment is accepted. */
export type Plan = {
  readonly id: DeploymentId;
  readonly service: ServiceName;
  readonly environment: EnvironmentName;
  readonly production: boolean;
  readonly version: VersionName;
  readonly digest: Digest;
  readonly gitSha: GitSha;
  readonly strategy: "canary" | "rollback";
  /** No deployment before it and nothing serving: there is no baseline to compare with. */
  readonly initial: boolean;
  readonly steps: readonly PlanStep[];
  readonly regions: readonly RegionName[];
  readonly baselines: Readonly<Record<string, VersionName | null>>;
  readonly workload: Workload;
  readonly verifyAfterMs: number;
  /** How long the version is watched from 100% on, verified or not; a day where an older row does not say. */
  readonly watchMs?: number | undefined;
  /** How long 100% must stand before the lock goes back. */
  readonly settleMs: number;
  readonly requestedBy: string;
  readonly createdAt: Instant;
  readonly rollsBack: DeploymentId | null;
};

export type PlanStep = { readonly weightPercent: number; readonly bakeMs: number };

/** What runs in each region; named after the version. */
export type Workload = {
  readonly image: string;
  readonly replicas: number;
  readonly env: Readonly<Record<string, string>>;
  /** Revisions of the secrets that the pods are given, by name; never a value. Absent where there are none. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly ready: { readonly path: string; readonly timeoutMs: number };
  readonly resources: { readonly cpu: string; readonly memory: string };
  readonly graceMs: number;
};

export type RegionProgress = {
  readonly state: RegionState;
  /** What its mesh serves, as far as that is confirmed. */
  readonly weightPercent: number;
  /** What a raise that is under way gives it: its proxies may serve that before it is confirmed. Absent where nothing is written, and in older rows. */
  readonly rising?: number | undefined;
  readonly reason: string | null;
  /** What a pod that did not become ready printed last. */
  readonly lastLines?: readonly string[];
  /** Why each pod that did not become ready was not, in the region's words: the reason has it in one sentence. */
  readonly pods?: readonly string[];
  /** What somebody changed there by hand and is still so. */
  readonly drift?: Drift | null;
  /** When its weight was first written to 0 on the way back, and what it had until then. `told`: that its mesh does not follow. */
  readonly lowered?: { readonly at: Instant; readonly fromPercent: number; readonly told?: true };
  /** It was told that what takes the version back cannot be written there since then, and with `back` that it was written. */
  readonly away?: { readonly since: Instant; readonly back?: true };
};

/**
 * What somebody changed in a region behind the platform's back.
 *
 *   raised     the version has more than was approved: repaired at once
 *   lowered    it has less: a halt, never undone
 *   rerouted   the route is gone, hidden, or sends requests elsewhere: a halt, never undone
 *   paused     `slipway.dev/paused`: nothing is written but what lowers, for as long as it stands
 *   shut       the gate is shut although nobody here found a FAIL
 *   unfenced   no fence of this grant can be read: the same as shut
 */
export type Drift = {
  readonly kind: "raised" | "lowered" | "rerouted" | "paused" | "shut" | "unfenced";
  /** One clause for people, without the region. */
  readonly what: string;
  readonly by: string;
  /** Share of the version in percent. */
  readonly percent: number;
  /** The object's resourceVersion: the same raise seen twice is one. */
  readonly seen: string;
};

export type Gate = {
  readonly step: number;
  readonly weightPercent: number;
  readonly verdict: Verdict;
  readonly counts: Counts;
  /** Canary requests per region, for the share that each must have brought. */
  readonly canaryRequests: Readonly<Record<string, number>>;
  readonly sentence: string;
  readonly at: Instant;
};

export type Approval = { readonly by: string; readonly reason: string; readonly at: Instant };

export type Granted = { readonly epochs: Readonly<Record<string, Epoch>> };

export type Raising = {
  readonly step: number;
  /** scaling: the workload grows to the step's size; arming: the watch must acknowledge; weighting: weights are written. */
  readonly stage: "scaling" | "arming" | "weighting";
  readonly done: readonly RegionName[];
  readonly since: Instant;
};

export type Baking = {
  readonly step: number;
  readonly since: Instant;
  readonly until: Instant;
  /** A person asked to go on without waiting for the end of the bake; it still takes a PASS. */
  readonly promotedBy: string | null;
  readonly latest: Gate | null;
  /** When the watch was last known to look. */
  readonly watchedAt: Instant;
};

export type Held = {
  readonly step: number;
  readonly why: string;
  readonly by: string;
  readonly unblockedBy: string;
  /** A person halted it: what is found in a region afterwards is shown there, and takes no reason's place. Absent in older rows. */
  readonly halted?: true | undefined;
  /** What lets it go on without a person; absent where it takes one. */
  readonly until?: HeldUntil | undefined;
  readonly since: Instant;
  /** When the watch was last known to look. */
  readonly watchedAt: Instant;
};

/** unpaused: `slipway.dev/paused` is removed everywhere; evidence: the e-value falls below 100 again. */
export type HeldUntil = "unpaused" | "evidence";

export type Restoring = {
  readonly epochs: Readonly<Record<string, Epoch>>;
  readonly reason: string;
  readonly by: string;
  readonly outcome: "rolled_back" | "failed" | "cancelled" | "superseded";
  /** After 100% the base Service has moved and the lock went back: both are taken again, under a new epoch, unless somebody newer has them. */
  readonly relock: "not_needed" | "waiting" | "granted" | "lost";
  readonly since: Instant;
};

/** `since`: when its way back began; absent where there was none, and in older rows. */
export type Ended = {
  readonly reason: string;
  readonly at: Instant;
  readonly hadWeight: boolean;
  readonly since?: Instant;
};

/** Phases in which a deployment holds its targets. */
export const holdingPhases: readonly Phase[] = [
  "opening",
  "preparing",
  "awaiting_approval",
  "raising",
  "baking",
  "held",
  "finishing",
];

export const terminalPhases = [
  "verified",
  "rolled_back",
  "failed",
  "cancelled",
  "superseded",
] as const satisfies readonly Phase[];

/** The fields that all phases share, taken from one of them. */
export function common(state: Deployment): Common {
  return { plan: state.plan, gates: state.gates, approval: state.approval, regions: state.regions };
}

export function setRegion(
  regions: Common["regions"],
  region: string,
  change: Partial<RegionProgress>,
): Common["regions"] {
  const before = regions[region] ?? { state: "pending", weightPercent: 0, reason: null };
  return { ...regions, [region]: { ...before, ...change } };
}

export function setRegions(state: Common, change: Partial<RegionProgress>): Common["regions"] {
  return state.plan.regions.reduce((regions, region) => setRegion(regions, region, change), state.regions);
}
