import { binomialUpper } from "./binomial.ts";
import { type EProcess, errorRule, eValue, latencyRule, observe, startEProcess } from "./e-process.ts";
import { addHistograms, type Histogram, noHistogram, slowerThan, thresholdsOf } from "./latency.ts";
import { provePass } from "./pass.ts";
import { alarmLevel, type Detector, detect, detectorValue, startDetector } from "./shiryaev-roberts.ts";

/** What one version did in one region between two looks. */
export type Sample = {
  readonly requests: number;
  readonly errors: number;
  readonly latency: Histogram;
  /** By host, of those requests that reached one; empty where the source names none. */
  readonly hosts: Readonly<Record<string, { readonly requests: number; readonly errors: number }>>;
};

/** One look: what canary and baseline did in each region since the look before it. */
export type Look = {
  readonly regions: Readonly<Record<string, { readonly canary: Sample; readonly baseline: Sample }>>;
};

type Totals = {
  readonly canary_requests: number;
  readonly canary_errors: number;
  readonly baseline_requests: number;
  readonly baseline_errors: number;
};

/**
 * Everything the judge remembers; plain data, so that it can be stored and replayed. The e-processes run over the whole deployment,
 * the window (and with it PASS) begins again at each step.
 */
export type JudgeState = {
  readonly mode: "canary" | "absolute";
  readonly errors: EProcess;
  readonly latency: readonly EProcess[];
  readonly thresholds: readonly number[];
  readonly baselineLatency: Histogram;
  readonly slow: number;
  /** Looks in which the canary had slow requests: one stall of a host is many requests and one look. */
  readonly slowLooks: number;
  readonly total: Totals;
  readonly hosts: Readonly<Record<string, { readonly requests: number; readonly errors: number }>>;
  /** Each of the last looks: what dies after hours of health is seen here at once. */
  readonly recent: readonly Totals[];
  readonly window: Totals;
  readonly windowRegions: Readonly<Record<string, Totals>>;
  /** After promotion: looks for a rise over what was usual during the canary. */
  readonly after?: Detector | null;
};

export type Finding = {
  readonly verdict: "PASS" | "FAIL" | "NONE";
  /** One plain sentence with the numbers. */
  readonly sentence: string;
  /** Canary requests over the baseline's limit, where the FAIL comes from slowness; null else. */
  readonly slow: number | null;
  readonly requestsNeeded: number | null;
  /** Evidence of harm as an e-value, at most 1e12. */
  readonly evidence: number;
  readonly counts: Totals;
  readonly regions: Readonly<Record<string, Totals>>;
};

const failEvidence = 10_000;
/** A healthy release comes so far in at most one of a hundred rollouts: it costs nothing to wait. */
const holdEvidence = 100;
/** JSON has no infinity. */
const mostEvidence = 1e12;
const leastErrors = 4;
const leastSlow = 10;
const leastSlowLooks = 5;
const leastSlowShare = 0.05;
const leastExcess = 0.002;
const breaker = { requests: 20, share: 0.5, looks: 60 };
const pointRule = { requests: 100, margin: 0.01, level: 1e-7 };
const requestsPerRegion = 46;
const nothing: Totals = { canary_requests: 0, canary_errors: 0, baseline_requests: 0, baseline_errors: 0 };

export function startJudge(mode: JudgeState["mode"]): JudgeState {
  return {
    mode,
    errors: startEProcess(errorRule),
    latency: [],
    thresholds: [],
    baselineLatency: noHistogram,
    slow: 0,
    slowLooks: 0,
    total: nothing,
    hosts: {},
    recent: [],
    window: nothing,
    windowRegions: {},
  };
}

/**
 * After promotion there is nothing left to compare with: the judge begins anew, and looks for a rise over the rate that canary and baseline had
 * together until now.
 */
export function startAfter({ total }: JudgeState): JudgeState {
  const requests = total.canary_requests + total.baseline_requests;
  const errors = total.canary_errors + total.baseline_errors;
  return { ...startJudge("absolute"), after: startDetector({ requests, errors }) };
}

/** A new step: evidence for FAIL is kept, evidence for PASS is gathered again. */
export function startWindow(state: JudgeState): JudgeState {
  return { ...state, window: nothing, windowRegions: {} };
}

/** Adds one look. Pure; never throws on counts. */
export function look(state: JudgeState, seen: Look): JudgeState {
  let next = state;
  for (const [region, sample] of Object.entries(seen.regions)) next = addRegion(next, region, sample);
  const latest = Object.values(seen.regions).map(totalsOf).reduce(add, nothing);
  const slowLooks = state.slowLooks + (next.slow > state.slow ? 1 : 0);
  const seenAfter = { requests: latest.canary_requests, errors: latest.canary_errors };
  if (next.after != null) next = { ...next, after: detect(next.after, seenAfter) };
  return fixThresholds({ ...next, slowLooks, recent: [...state.recent, latest].slice(-breaker.looks) });
}

function totalsOf({ canary, baseline }: Look["regions"][string]): Totals {
  return {
    canary_requests: canary.requests,
    canary_errors: canary.errors,
    baseline_requests: baseline.requests,
    baseline_errors: baseline.errors,
  };
}

function addRegion(state: JudgeState, region: string, sample: Look["regions"][string]): JudgeState {
  const { canary, baseline } = sample;
  const delta = totalsOf(sample);
  const sides = { canary: canary.requests, baseline: baseline.requests };
  const slow = state.thresholds.map((t) => ({
    ...sides,
    canaryBad: slowerThan(canary.latency, t),
    baselineBad: slowerThan(baseline.latency, t),
  }));
  return {
    ...state,
    errors: observe(state.errors, errorRule, { ...sides, canaryBad: canary.errors, baselineBad: baseline.errors }),
    latency: state.latency.map((process, i) =>
      observe(process, latencyRule, slow[i] ?? { canary: 0, canaryBad: 0, baseline: 0, baselineBad: 0 }),
    ),
    slow: state.slow + (slow.at(-1)?.canaryBad ?? 0),
    baselineLatency:
      state.thresholds.length > 0 ? state.baselineLatency : addHistograms(state.baselineLatency, baseline.latency),
    total: add(state.total, delta),
    hosts: addHosts(state.hosts, region, canary.hosts),
    window: add(state.window, delta),
    windowRegions: { ...state.windowRegions, [region]: add(state.windowRegions[region] ?? nothing, delta) },
  };
}

function fixThresholds(state: JudgeState): JudgeState {
  if (state.thresholds.length > 0) return state;
  const thresholds = thresholdsOf(state.baselineLatency);
  return { ...state, thresholds, latency: thresholds.map(() => startEProcess(latencyRule)) };
}

/** The verdict on everything seen so far. FAIL before PASS; NONE says what is missing. */
export function verdict(state: JudgeState, regions: readonly string[]): Finding {
  const base = {
    counts: state.window,
    regions: state.windowRegions,
    evidence: Math.min(cautionOf(state), mostEvidence),
    slow: null,
  };
  const failure = failureOf(state);
  if (failure !== null) return { ...base, ...failure, verdict: "FAIL", requestsNeeded: null };
  if (state.mode === "absolute") {
    return {
      ...base,
      verdict: "NONE",
      sentence: `No sign of failure in ${state.window.canary_requests} request${state.window.canary_requests === 1 ? "" : "s"}.`,
      requestsNeeded: null,
    };
  }
  const proof = provePass(state.window);
  const short = Object.fromEntries(
    regions.map((region) => [region, requestsPerRegion - (state.windowRegions[region]?.canary_requests ?? 0)]),
  );
  const lacking = Object.values(short).reduce((sum, missing) => sum + Math.max(0, missing), 0);
  if (proof.pass && lacking === 0)
    return { ...base, verdict: "PASS", sentence: passSentence(state.window), requestsNeeded: 0 };
  const needed = proof.requestsNeeded === null ? null : Math.max(proof.requestsNeeded, lacking);
  return { ...base, verdict: "NONE", sentence: noneSentence(state.window, needed), requestsNeeded: needed };
}

/** Errors and latency as one e-value: a weighted mean is valid under any dependence. */
function evidenceOf(state: JudgeState): number {
  const errors = errorsCount(state) ? eValue(state.errors) : Math.min(eValue(state.errors), failEvidence / 10);
  if (state.latency.length === 0) return errors;
  const mean = state.latency.reduce((sum, process) => sum + eValue(process), 0) / state.latency.length;
  const latency = slownessCounts(state) ? mean : Math.min(mean, failEvidence / 10);
  return (errors + latency) / 2;
}

/**
 * Slow requests come in bursts (a stalled host, a collection of garbage), which no test of independent requests allows for: they count when
 * they are a share worth a rollback and keep coming.
 */
function slownessCounts({ slow, slowLooks, total }: JudgeState): boolean {
  return slow >= leastSlow && slowLooks >= leastSlowLooks && slow >= leastSlowShare * total.canary_requests;
}

/**
 * The evidence by which the ramp holds: the same e-values, before the conditions that a rollback asks for (enough errors, from several hosts).
 * Slowness counts only where it would for a rollback: one stall is no reason to stop.
 */
function cautionOf(state: JudgeState): number {
  const errors = eValue(state.errors);
  if (state.latency.length === 0) return errors;
  const mean = state.latency.reduce((sum, process) => sum + eValue(process), 0) / state.latency.length;
  return (errors + (slownessCounts(state) ? mean : Math.min(mean, 1))) / 2;
}

/** True when the evidence of harm is such that no weight goes up, short of a FAIL. */
export function holdsRamp(evidence: number | undefined): boolean {
  return evidence !== undefined && evidence >= holdEvidence;
}

/** Errors speak for themselves only when there are enough, from enough hosts, and worth a rollback. */
function errorsCount(state: JudgeState): boolean {
  const { canary_requests: n, canary_errors: x, baseline_requests: m, baseline_errors: y } = state.total;
  const excess = (x + 0.5) / (n + 1) - (y + 0.5) / (m + 1);
  return x >= leastErrors && excess >= leastExcess && guiltyHosts(state);
}

/** One bad host does not condemn a version. Requests that reached none of its hosts are no single one's fault. */
function guiltyHosts({ hosts, total }: JudgeState): boolean {
  const busy = Object.values(hosts).filter((host) => host.requests > 0);
  const ofHosts = busy.reduce((sum, host) => sum + host.errors, 0);
  return (
    busy.length < 2 ||
    busy.filter((host) => host.errors > 0).length >= 2 ||
    total.canary_errors - ofHosts >= leastErrors
  );
}

type Failure = Pick<Finding, "sentence" | "slow">;

function failureOf(state: JudgeState): Failure | null {
  const sentence = erring(state);
  if (sentence !== null) return { sentence, slow: null };
  if (state.mode === "absolute" || evidenceOf(state) < failEvidence) return null;
  const { canary_requests: n, canary_errors: x, baseline_requests: m, baseline_errors: y } = state.total;
  const odds = "a healthy release would look this bad less than once in 10,000 rollouts";
  const seen = `${x} of ${n} requests failed (${percent(x, n)})`;
  if (errorsCount(state))
    return { sentence: `${seen}, beside ${y} of ${m} on the baseline (${percent(y, m)}): ${odds}.`, slow: null };
  const limit = `the baseline's slowest hundredth (over ${state.thresholds.at(-1)} ms)`;
  return { sentence: `${state.slow} of ${n} requests were slower than ${limit}, ${seen}: ${odds}.`, slow: state.slow };
}

/** What is clear from the errors alone, by a plain rule. */
function erring(state: JudgeState): string | null {
  const { canary_requests: n, canary_errors: x, baseline_requests: m, baseline_errors: y } = state.total;
  const seen = `${x} of ${n} requests failed (${percent(x, n)})`;
  if (isDead(state.total)) return `${seen}: dead on arrival.`;
  const recent = state.recent.reduce(add, nothing);
  if (isDead(recent)) return `${recent.canary_errors} of the last ${recent.canary_requests} requests failed: it died.`;
  if (state.after != null) return riseOf(state, state.after, recent);
  if (state.mode === "absolute" || !overByAPoint(state)) return null;
  return `${seen}, beside ${y} of ${m} on the baseline (${percent(y, m)}): more than one percentage point over the baseline.`;
}

/** A rise that lasted some looks, on more than one host, and is worth a rollback. */
function riseOf(state: JudgeState, after: Detector, recent: Totals): string | null {
  const { canary_requests: n, canary_errors: x } = recent;
  if (x < leastErrors || !guiltyHosts(state) || detectorValue(after) < alarmLevel) return null;
  if (x / n < after.reference + leastExcess) return null;
  const usual = `where at most ${percent(after.reference, 1)} is usual`;
  return `${x} of the last ${n} requests failed (${percent(x, n)}), ${usual}: chance alone would show this on less than one day in 500.`;
}

/** At least every second request fails, and not because everything fails. */
function isDead({ canary_requests: n, canary_errors: x, baseline_requests: m, baseline_errors: y }: Totals): boolean {
  return n >= breaker.requests && x / n >= breaker.share && y / Math.max(m, 1) < breaker.share;
}

/** The plain rule, with a minimum sample, so that it does not fire by chance at every look. */
function overByAPoint(state: JudgeState): boolean {
  const { canary_requests: n, canary_errors: x, baseline_requests: m, baseline_errors: y } = state.total;
  if (n < pointRule.requests || x < leastErrors || m === 0 || !guiltyHosts(state)) return false;
  const expected = (y + 0.5) / (m + 1);
  return x / n > y / m + pointRule.margin && binomialUpper(x, n, expected) <= pointRule.level;
}

function passSentence(w: Totals): string {
  return `${w.canary_errors} of ${w.canary_requests} canary requests failed beside ${w.baseline_errors} of ${w.baseline_requests} on the baseline: a canary one point worse would look this good less than once in 100 looks.`;
}

function noneSentence(w: Totals, needed: number | null): string {
  if (w.baseline_requests === 0) return "The baseline has no traffic to compare with.";
  const more = needed === null ? "more requests than can be said" : `${needed} more canary requests`;
  return `${w.canary_errors} of ${w.canary_requests} canary requests failed: a verdict needs ${more}.`;
}

function percent(x: number, n: number): string {
  return n === 0 ? "0%" : `${((100 * x) / n).toFixed(2)}%`;
}

function add(a: Totals, b: Totals): Totals {
  return {
    canary_requests: a.canary_requests + b.canary_requests,
    canary_errors: a.canary_errors + b.canary_errors,
    baseline_requests: a.baseline_requests + b.baseline_requests,
    baseline_errors: a.baseline_errors + b.baseline_errors,
  };
}

function addHosts(all: JudgeState["hosts"], region: string, seen: Sample["hosts"]): JudgeState["hosts"] {
  const next = { ...all };
  for (const [host, counts] of Object.entries(seen)) {
    const key = `${region}/${host}`;
    const before = next[key] ?? { requests: 0, errors: 0 };
    next[key] = { requests: before.requests + counts.requests, errors: before.errors + counts.errors };
  }
  return next;
}
