import type { Counts, Judgement, WatchRequest } from "@slipway/contracts";
import { addCounts, noCounts } from "@slipway/contracts";
import {
  type Finding,
  type JudgeState,
  type Look,
  look,
  startAfter,
  startJudge,
  startWindow,
  verdict,
} from "@slipway/judge";
import type { Instant } from "@slipway/kernel";

/** Everything a watcher remembers between looks. Plain data: stored as a snapshot, rebuilt by replaying looks. */
export type Looking = {
  readonly judge: JudgeState;
  readonly step: number;
  readonly windowFrom: Instant;
  /** A window that was asked for and begins once each of these regions was looked at: what a look brings was served since the look before it. */
  readonly begins?: { readonly at: Instant; readonly awaited: readonly string[] } | undefined;
  readonly firstErrorAt: Instant | null;
  /** Counts of each region since the watch was armed. */
  readonly totals: Readonly<Record<string, Counts>>;
};

export function startLooking(spec: WatchRequest, now: Instant): Looking {
  const judge = startJudge(spec.mode === "canary" ? "canary" : "absolute");
  return askWindow({ judge, step: spec.step, windowFrom: now, firstErrorAt: null, totals: {} }, spec);
}

/**
 * A watch moved to another step keeps its evidence for FAIL and gathers that for PASS again, and once more when all regions serve the step's
 * weight: requests that came at the weight before prove nothing for this one. At 100% there is nothing left to compare with:
 * the judge turns absolute and looks for a rise over what was usual until then.
 */
export function moveTo(looking: Looking, spec: WatchRequest, now: Instant): Looking {
  if (isAfter(spec) && looking.judge.after === undefined)
    return { ...looking, judge: startAfter(looking.judge), step: spec.step, windowFrom: now };
  const moved =
    spec.step === looking.step
      ? looking
      : { ...looking, judge: startWindow(looking.judge), step: spec.step, windowFrom: now, begins: undefined };
  return askWindow(moved, spec);
}

/** Asked for again and again it is the same window: one that has begun, or is about to, is left as it is. */
function askWindow(looking: Looking, { window_from: at, epochs }: WatchRequest): Looking {
  if (at === undefined || at === looking.windowFrom || at === looking.begins?.at) return looking;
  return { ...looking, begins: { at, awaited: Object.keys(epochs) } };
}

/** What was seen of these regions until now belongs to the time before the window; it speaks for FAIL all the same. */
function beginWindow(looking: Looking, seen: readonly string[]): Looking {
  if (looking.begins === undefined) return looking;
  const { at, awaited } = looking.begins;
  const left = awaited.filter((region) => !seen.includes(region));
  if (left.length > 0) return { ...looking, begins: { at, awaited: left } };
  return { ...looking, judge: startWindow(looking.judge), windowFrom: at, begins: undefined };
}

/** The version has 100% and is watched on. */
function isAfter({ mode }: WatchRequest): boolean {
  return mode === "live" || mode === "verified";
}

export function addLook(looking: Looking, seen: Look, now: Instant): Looking {
  const judge = look(looking.judge, seen);
  const totals = { ...looking.totals };
  let errors = 0;
  for (const [region, { canary, baseline }] of Object.entries(seen.regions)) {
    errors += canary.errors;
    totals[region] = addCounts(totals[region] ?? noCounts, {
      canary_requests: canary.requests,
      canary_errors: canary.errors,
      baseline_requests: baseline.requests,
      baseline_errors: baseline.errors,
    });
  }
  const firstErrorAt = looking.firstErrorAt ?? (errors > 0 ? now : null);
  return beginWindow({ ...looking, judge, totals, firstErrorAt }, Object.keys(seen.regions));
}

/** The verdict of everything seen so far, as the event and the API say it. */
export function judgementOf(looking: Looking, spec: WatchRequest, now: Instant): Judgement {
  const found: Finding = verdict(looking.judge, Object.keys(spec.epochs));
  return {
    step: looking.step,
    weight_percent: spec.weight_percent,
    verdict: found.verdict,
    sentence: found.sentence,
    requests_needed: found.requestsNeeded,
    ...(looking.judge.mode === "canary" ? { evidence: found.evidence } : {}),
    ...countsOf(looking, found),
    window_from: looking.windowFrom,
    at: now,
  };
}

/** Those that its sentence speaks of: for PASS and NONE the window's, for FAIL all that the watch has seen. */
function countsOf({ judge, totals }: Looking, found: Finding): Pick<Judgement, "counts" | "regions"> {
  if (found.verdict !== "FAIL" || judge.after != null) return { counts: found.counts, regions: { ...found.regions } };
  const counts = Object.values(totals).reduce(addCounts, noCounts);
  return { counts: found.slow === null ? counts : { ...counts, canary_slow: found.slow }, regions: { ...totals } };
}
