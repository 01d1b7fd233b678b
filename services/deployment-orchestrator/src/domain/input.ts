import type { Judgement } from "@slipway/contracts";

import type { DeploymentId, Epoch, Instant, RegionName, VersionName } from "@slipway/kernel";
import type { Drift } from "./deployment.ts";

type Dated<T extends string, Fields = unknown> = { readonly type: T; readonly now: Instant } & Readonly<Fields>;

/** What people ask for. May be refused. */
export type Intent =
  | Dated<"Rollback", { by: string; reason: string }>
  | Dated<"Halt", { by: string; reason: string }>
  | Dated<"Resume", { by: string }>
  | Dated<"Promote", { by: string; expectedStep: number | null }>
  | Dated<"Approve", { by: string; reason: string }>;

/** What the world answered. Never refused; a fact with an old stamp changes nothing. */
export type Fact =
  /** Its image cannot be had where its pods would pull it from. */
  | Dated<"ImageMissing", { reason: string }>
  /** The version was taken back in this environment after this deployment of it was asked for. */
  | Dated<"VersionBanned", { by: DeploymentId }>
  | Dated<"LockGranted", { epochs: Readonly<Record<string, Epoch>> }>
  | Dated<"LockWaiting", { behind: string }>
  | Dated<"LockLost", { to: string }>
  | Dated<"Superseded", { by: DeploymentId }>
  /** `baseline`: what serves in the region now that nobody else may change it; null: nothing but the version itself. */
  | Dated<"FenceOpened", { region: RegionName; epoch: number; baseline: VersionName | null }>
  | Dated<"FenceStale", { region: RegionName; epoch: number; found: string }>
  | Dated<"WorkloadReady", { region: RegionName; epoch: number; step: number }>
  | Dated<
      "WorkloadFailed",
      {
        region: RegionName;
        epoch: number;
        step: number;
        reason: string;
        lines?: readonly string[];
        pods?: readonly string[];
      }
    >
  | Dated<"WatchArmed", { step: number }>
  | Dated<"WatchSeen", { step: number; judgement: Judgement | null; epochs: Readonly<Record<string, number>> }>
  /** `since`: its last look; null when it does not answer at all. */
  | Dated<"WatchSilent", { step: number; since: Instant | null }>
  | Dated<"WeightServed", { region: RegionName; epoch: number; step: number; percent: number }>
  /** `percent`: what the version has there, where that was read. */
  | Dated<"RaiseRefused", { region: RegionName; epoch: number; step: number; why: RaiseRefusal; percent?: number }>
  | Dated<"Judged", { judgement: Judgement; epochs: Readonly<Record<string, number>> }>
  /** `overtaken`: another deployment holds the targets, so that nothing could be shut under this grant. */
  | Dated<"WatchFailed", { judgement: Judgement; epochs: Readonly<Record<string, number>>; overtaken?: boolean }>
  | Dated<"Lowered", { region: RegionName; epoch: number }>
  | Dated<"LowerStale", { region: RegionName; epoch: number }>
  | Dated<"Followed", { region: RegionName; epoch: number }>
  | Dated<"Retired", { region: RegionName; epoch: number }>
  | Dated<"Replaced", { by: DeploymentId; epochs: Readonly<Record<string, number>> }>
  | Dated<"DriftSeen", { region: RegionName; epoch: number; drift: Drift }>
  /** The region shows again what was decided. */
  | Dated<"DriftGone", { region: RegionName; epoch: number; percent: number }>
  /** The database was restored to an older state, and a person accepted what the regions show: nothing here is true any more. */
  | Dated<"Voided", { by: string; reason: string }>
  | Dated<"TimeReached", { purpose: TimerPurpose }>
  | Dated<"TimeReached", { purpose: RegionTimer; region: RegionName }>;

export type RaiseRefusal = "stale" | "shut" | "paused" | "conflict" | "not_ready" | "drifted" | "unproven";
/** mesh: has it followed what was written there; region: could it be written there at all. */
export type RegionTimer = "mesh" | "region";
export type TimerPurpose = "bake" | "evidence" | "settle" | "verify";

export type Input = Intent | Fact;
export type InputType = Input["type"];
