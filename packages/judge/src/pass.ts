import { binomialCdf } from "./binomial.ts";

export type PassCounts = {
  readonly canary_requests: number;
  readonly canary_errors: number;
  readonly baseline_requests: number;
  readonly baseline_errors: number;
};

export type PassProof = {
  readonly pass: boolean;
  /** P(Bin(n, b + 0.01) <= x): how likely so few errors would be if the canary were one point worse than the baseline. */
  readonly tail: number;
  /** Canary requests still needed for a PASS if no further error comes; null when there is no baseline to compare with. */
  readonly requestsNeeded: number | null;
};

const leastRequests = 459;
const margin = 0.01;
const level = 0.01;
const searchLimit = 1_000_000;

/**
 * PASS is evidence, never "no FAIL yet": n canary requests with x errors pass when n >= 459 and P(Bin(n, b + 0.01) <= x) <= 0.01,
 * b being the baseline's error rate in the same window. The 1% is per look.
 */
export function provePass(counts: PassCounts): PassProof {
  const { canary_requests: n, canary_errors: x, baseline_requests: m } = counts;
  if (m === 0) return { pass: false, tail: 1, requestsNeeded: null };
  const limit = Math.min(1, counts.baseline_errors / m + margin);
  const tail = binomialCdf(x, n, limit);
  const pass = n >= leastRequests && tail <= level;
  return { pass, tail, requestsNeeded: pass ? 0 : requestsNeeded(n, x, limit) };
}

/** The smallest number of further requests without an error that would prove it (bisection: the tail falls as n grows). */
function requestsNeeded(n: number, x: number, limit: number): number | null {
  const proves = (total: number) => total >= leastRequests && binomialCdf(x, total, limit) <= level;
  if (!proves(n + searchLimit)) return null;
  let low = n;
  let high = n + searchLimit;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (proves(middle)) high = middle;
    else low = middle;
  }
  return high - n;
}
