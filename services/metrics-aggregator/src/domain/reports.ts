import type { Instant } from "@slipway/kernel";
import type { Facts } from "./facts.ts";

/** A change that users met: it came to 100%, was caught, or was taken back after it had traffic. */
export type Change = Facts & {
  /** When the commit was made; null when no build has told. */
  readonly committedAt: Instant | null;
  /** When the deployment that leads away from it came to 100%; null = not yet, or there is none. */
  readonly ledAwayAt: Instant | null;
};

export type Dora = {
  readonly deployments: number;
  readonly deployments_per_day: number;
  readonly lead_time_seconds: number | null;
  readonly change_failure_percent: number | null;
  readonly recovery_seconds: number | null;
};

/** When the deployment first counts in a report; null = it never met a user. */
export function countedAt({ succeededAt, caught, ended }: Facts): Instant | null {
  const takenBackAt = ended?.outcome === "rolled_back" ? ended.at : null;
  const times = [succeededAt, caught?.at ?? null, takenBackAt].filter((at) => at !== null);
  return times.sort()[0] ?? null;
}

/** A change that failed its users or was taken back, by the judge or by a person. */
export function isBad({ caught, ended }: Facts): boolean {
  return caught !== null || ended?.outcome === "rolled_back";
}

/** When users were safe again: every region confirmed, else the end of the rollback, or of the deployment that led away; null = not yet. */
export function restoredAt({ regions, shut, ended, wayBack, ledAwayAt }: Change): Instant | null {
  if (wayBack !== null) return ledAwayAt;
  const confirmed = regions.map((region) => shut[region]);
  const latest = confirmed.filter((at) => at !== undefined).sort();
  if (regions.length > 0 && latest.length === regions.length) return latest.at(-1) ?? null;
  return ended?.outcome === "rolled_back" ? ended.at : null;
}

/** The four figures over the changes of so many days. */
export function dora(changes: readonly Change[], days: number): Dora {
  const bad = changes.filter(isBad);
  const leadTimes = changes.map((change) => seconds(change.committedAt, change.succeededAt));
  const recoveries = bad.map(sufferedSeconds);
  return {
    deployments: changes.length,
    deployments_per_day: changes.length / days,
    lead_time_seconds: median(leadTimes),
    change_failure_percent: changes.length === 0 ? null : (bad.length / changes.length) * 100,
    recovery_seconds: median(recoveries),
  };
}

export type BadDeployment = {
  readonly failed_requests: number | null;
  /** Over the baseline's limit, where it was caught for slowness; null else. */
  readonly slow_requests: number | null;
  readonly max_weight_percent: number | null;
  readonly reason: string;
  /** From its first traffic to traffic restored; of one that was good until later, from then on. */
  readonly seconds: number | null;
  readonly ended_at: Instant | null;
};

/** What one bad deployment cost. */
export function costOf(facts: Change): BadDeployment {
  const restored = restoredAt(facts);
  return {
    failed_requests: facts.failedRequests,
    slow_requests: facts.slowRequests,
    max_weight_percent: facts.maxWeightPercent,
    reason: facts.caught?.reason ?? facts.ended?.reason ?? "",
    seconds: sufferedSeconds(facts),
    ended_at: restored ?? facts.ended?.at ?? facts.caught?.at ?? null,
  };
}

function sufferedSeconds(change: Change): number | null {
  const from = change.wayBack === null ? change.exposedAt : (change.caught?.at ?? null);
  return seconds(from, restoredAt(change));
}

/** Null when either end is unknown, or when clocks put the end before the beginning. */
function seconds(from: Instant | null, to: Instant | null): number | null {
  if (from === null || to === null) return null;
  const ms = Date.parse(to) - Date.parse(from);
  return ms < 0 ? null : ms / 1000;
}

/** The middle value, or the mean of the two in the middle; null without any. */
export function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  const middle = known.length >> 1;
  const upper = known[middle];
  if (upper === undefined) return null;
  return known.length % 2 === 1 ? upper : ((known[middle - 1] ?? upper) + upper) / 2;
}
