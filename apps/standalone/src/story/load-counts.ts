import type { Instant } from "@slipway/kernel";
import { z } from "zod";

const VersionCounts = z.object({
  requests: z.number().int(),
  /** Answers of 500 and above, and requests without an answer. */
  errors: z.number().int(),
  slowest_ms: z.number(),
  first_at: z.string().nullable(),
  last_at: z.string().nullable(),
  first_error_at: z.string().nullable(),
});
const RegionCountsSchema = z.object({
  versions: z.record(z.string(), VersionCounts),
  /** Answers so far, five times a second: `[milliseconds since 1970, requests]`, the last ten minutes. */
  timeline: z.array(z.tuple([z.number(), z.number()])),
});
export type RegionCounts = z.infer<typeof RegionCountsSchema>;

/** What the load process saw, by region and version; `none` = no version answered. */
export const LoadCounts = z.object({ regions: z.record(z.string(), RegionCountsSchema) });
export type LoadCounts = z.infer<typeof LoadCounts>;

export type Answer = { readonly version: string; readonly failed: boolean; readonly ms: number; readonly at: Instant };

export function emptyCounts(): RegionCounts {
  return { versions: {}, timeline: [] };
}

const timelineLength = 3_000;

/** Notes how many answers there were at this moment. */
export function noteTime(counts: RegionCounts, atMs: number): void {
  const total = Object.values(counts.versions).reduce((sum, own) => sum + own.requests, 0);
  counts.timeline.push([atMs, total]);
  if (counts.timeline.length > timelineLength) counts.timeline.shift();
}

/** All answers of a region between the first and the last answer of one version: what that version had its share of. */
export function requestsWhile(counts: RegionCounts | undefined, version: string): number {
  const own = counts?.versions[version];
  if (counts === undefined || own?.first_at == null || own.last_at === null) return 0;
  return Math.round(totalAt(counts, Date.parse(own.last_at)) - totalAt(counts, Date.parse(own.first_at)));
}

/** Straight lines between the moments that were noted. */
function totalAt({ timeline }: RegionCounts, at: number): number {
  const after = timeline.findIndex(([time]) => time >= at);
  const next = timeline[after];
  const previous = timeline[after - 1];
  if (next === undefined) return timeline.at(-1)?.[1] ?? 0;
  if (previous === undefined || next[0] === previous[0]) return next[1];
  return previous[1] + ((next[1] - previous[1]) * (at - previous[0])) / (next[0] - previous[0]);
}

/** Adds one answer in place: this runs for every request. */
export function addAnswer(counts: RegionCounts, { version, failed, ms, at }: Answer): void {
  const known = counts.versions[version];
  const own = known ?? { requests: 0, errors: 0, slowest_ms: 0, first_at: at, last_at: at, first_error_at: null };
  if (known === undefined) counts.versions[version] = own;
  own.requests += 1;
  own.last_at = at;
  own.slowest_ms = Math.max(own.slowest_ms, Math.round(ms));
  if (!failed) return;
  own.errors += 1;
  own.first_error_at ??= at;
}

export type RegionExposure = {
  readonly requests: number;
  readonly errors: number;
  readonly toVersion: number;
  readonly errorsOfVersion: number;
};

/** What happened in a region between two readings of the counts: in all, and on one version. */
export function exposureBetween(
  before: LoadCounts,
  after: LoadCounts,
  region: string,
  version: string,
): RegionExposure {
  const sum = (counts: LoadCounts, field: "requests" | "errors") =>
    Object.values(counts.regions[region]?.versions ?? {}).reduce((total, own) => total + own[field], 0);
  const own = (counts: LoadCounts, field: "requests" | "errors") =>
    counts.regions[region]?.versions[version]?.[field] ?? 0;
  return {
    requests: sum(after, "requests") - sum(before, "requests"),
    errors: sum(after, "errors") - sum(before, "errors"),
    toVersion: own(after, "requests") - own(before, "requests"),
    errorsOfVersion: own(after, "errors") - own(before, "errors"),
  };
}
