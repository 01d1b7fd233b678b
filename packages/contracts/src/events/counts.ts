import { z } from "zod";

const count = z.number().int().nonnegative();

/** Requests and errors (5xx) of canary and baseline in one window. */
export const Counts = z.object({
  canary_requests: count,
  canary_errors: count,
  /** Canary requests slower than the limit that its sentence names; only beside a FAIL that comes from slowness. */
  canary_slow: count.optional(),
  baseline_requests: count,
  baseline_errors: count,
});
export type Counts = z.infer<typeof Counts>;

export const Verdict = z.enum(["PASS", "FAIL", "NONE"]);
export type Verdict = z.infer<typeof Verdict>;

export const noCounts: Counts = { canary_requests: 0, canary_errors: 0, baseline_requests: 0, baseline_errors: 0 };

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    canary_requests: a.canary_requests + b.canary_requests,
    canary_errors: a.canary_errors + b.canary_errors,
    baseline_requests: a.baseline_requests + b.baseline_requests,
    baseline_errors: a.baseline_errors + b.baseline_errors,
  };
}
