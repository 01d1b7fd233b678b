import type { Counts, deploymentTopic, EventOf, Verdict } from "@slipway/contracts";
import type { DeploymentId, Epoch, Instant, RegionName, VersionName } from "@slipway/kernel";
import type { Fact, RegionTimer, TimerPurpose } from "./input.ts";

/** What a decision wants done. Each is a durable row; each repeats harmlessly. */
export type Command =
  /**
   * Until the image is where pods are to pull it from; it stands before the lock in its lane. A version that does not know it fails at it and tries again, so that
   * in an upgrade it waits for one that does.
   */
  | { readonly type: "AwaitImage" }
  | { readonly type: "AcquireLock"; readonly holder: string; readonly preempt: boolean; readonly at: Instant | null }
  | { readonly type: "ReleaseLock"; readonly holder: string }
  /**
   * One target of those that are held. No field of ReleaseLock: a version that does not know that would give back all of them, and a newer deployment would take
   * for its baseline what is still being taken back elsewhere. One that does not know this command fails at it and tries again; ReleaseLock comes in any case.
   */
  | { readonly type: "ReleaseRegion"; readonly holder: string; readonly region: RegionName }
  | {
      readonly type: "OpenFence";
      readonly region: RegionName;
      readonly epoch: Epoch;
    }
  | {
      readonly type: "PrepareWorkload";
      readonly region: RegionName;
      readonly epoch: Epoch;
      readonly step: number;
      readonly replicas: number;
    }
  | {
      readonly type: "ArmWatch";
      readonly step: number;
      readonly weightPercent: number;
      readonly mode: "canary" | "initial" | "live" | "verified";
      /** When the watch of a verified version is over. */
      readonly until?: Instant | undefined;
      /** When every region came to serve the weight. */
      readonly windowFrom?: Instant | undefined;
      readonly epochs: Readonly<Record<string, Epoch>>;
    }
  | { readonly type: "CheckWatch"; readonly step: number; readonly at: Instant }
  | {
      readonly type: "RaiseWeight";
      readonly region: RegionName;
      readonly epoch: Epoch;
      readonly step: number;
      readonly percent: number;
      /** What the deployment knows the version to have there now. */
      readonly from: number;
      readonly proven: boolean;
      readonly at: Instant | null;
    }
  | { readonly type: "LowerWeight"; readonly region: RegionName; readonly epoch: Epoch }
  /** Back to what is approved when it is performed: a lowering write that leaves the gate open. */
  | { readonly type: "RepairWeight"; readonly region: RegionName; readonly epoch: Epoch }
  /** Publishes and audits what somebody changed by hand. */
  | { readonly type: "TellDrift"; readonly region: RegionName; readonly what: string; readonly by: string }
  /**
   * Writes into the audit log what nobody asked for. A version that does not know it fails at it and tries again, in a lane where nothing waits for it, so
   * that in an upgrade it waits for one that does.
   */
  | {
      readonly type: "AuditTakeBack";
      readonly actor: string;
      readonly decidedAt: Instant;
      readonly detail: TakenBack;
    }
  | {
      readonly type: "Follow";
      readonly region: RegionName;
      readonly epoch: Epoch;
      readonly version: VersionName | null;
    }
  /** Waits until the mesh has shown no request to the version for some seconds, then removes its workload. */
  | {
      readonly type: "DrainAndRetire";
      readonly region: RegionName;
      readonly epoch: Epoch;
      readonly version: VersionName;
    }
  | { readonly type: "WakeAt"; readonly at: Instant; readonly purpose: TimerPurpose }
  | { readonly type: "WakeAt"; readonly at: Instant; readonly purpose: RegionTimer; readonly region: RegionName }
  | { readonly type: "TellReplaced"; readonly regions: readonly RegionName[] }
  | { readonly type: "Publish"; readonly event: DeploymentEvent };

/** What the audit log keeps of a version that was taken back. */
export type TakenBack = {
  readonly service: string;
  readonly environment: string;
  readonly version: VersionName;
  /** Percent of the requests that the version had in each region, or was being given. */
  readonly weights: Readonly<Record<string, number>>;
  readonly reason: string;
  /** The input that it was decided by. */
  readonly because: string;
  readonly verdict: Verdict | null;
  /** Where the judge found one: the so-manieth of the deployment's gates, with its numbers. */
  readonly evidence: {
    readonly gate: number | null;
    readonly step: number;
    readonly counts: Counts;
    readonly e_value: number | null;
    readonly at: Instant;
  } | null;
  /** The deployment that leads back, where it is one of its own. */
  readonly rolled_back_by: DeploymentId | null;
};

export type DeploymentEvent = EventOf<typeof deploymentTopic>;

/** What a timer comes to. */
export function timeReached(timer: Extract<Command, { type: "WakeAt" }>, now: Instant): Fact {
  return "region" in timer
    ? { type: "TimeReached", purpose: timer.purpose, region: timer.region, now }
    : { type: "TimeReached", purpose: timer.purpose, now };
}
