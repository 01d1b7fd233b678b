/**
 * Shiryaev-Roberts e-detector for a rise of the error rate after promotion, when nothing runs beside the version to compare it with.
 *
 * Null: each request fails with probability at most `reference`. For each ratio k a look brings the likelihood ratio of k times the reference
 * against it, at most `mostPerLook`, and SR_k <- (SR_k + 1) x factor. Under the null SR - t is a supermartingale, so that an alarm at A comes
 * within T looks with probability at most T/A (Doob), whenever the rise would have begun. Unlike an e-process it has no deficit to climb out
 * of after hours of health.
 */
export type Detector = {
  readonly reference: number;
  /** Natural logarithms of SR_k. */
  readonly logs: readonly number[];
};

const ratios: readonly number[] = [1.5, 2, 3, 5, 10, 20, 50, 100];
/** No single look counts for more: a burst of some seconds is no bad release. Cutting a factor down keeps its mean at or below one. */
const mostPerLook = Math.log(10);
/** 86,400 looks of a second: at most 0.17% false alarms a day. */
export const alarmLevel = 5e7;
/** Beyond what was seen during the canary, rates drift with the hour and the day. */
const allowance = 2;
const leastReference = 0.002;
const mostReference = 0.25;
const confidence = 1e-3;

/** Null where too little was seen during the canary to say what is usual. */
export function startDetector(seen: { readonly requests: number; readonly errors: number }): Detector | null {
  const reference = Math.max(allowance * upperBound(seen.errors, seen.requests), leastReference);
  if (!(reference <= mostReference)) return null;
  return { reference, logs: ratios.map(() => Number.NEGATIVE_INFINITY) };
}

/** One look. One without requests brings nothing, and counts as none. */
export function detect(detector: Detector, look: { readonly requests: number; readonly errors: number }): Detector {
  const { requests, errors } = look;
  const { reference } = detector;
  if (requests <= 0) return detector;
  const logs = detector.logs.map((log, i) => {
    const k = Math.min(ratios[i] as number, 0.95 / reference);
    const factor = errors * Math.log(k) + (requests - errors) * Math.log((1 - k * reference) / (1 - reference));
    return logPlusOne(log) + Math.min(factor, mostPerLook);
  });
  return { reference, logs };
}

/** The mean of SR_k: the alarm is at `alarmLevel`. */
export function detectorValue({ logs }: Detector): number {
  return logs.reduce((sum, log) => sum + Math.exp(Math.min(log, 700)), 0) / logs.length;
}

function logPlusOne(log: number): number {
  return log > 30 ? log : Math.log1p(Math.exp(log));
}

/** Upper confidence bound of a rate: the p at which so few errors or fewer have probability `confidence` (Chernoff, a little wide). */
function upperBound(errors: number, requests: number): number {
  if (requests <= 0) return 1;
  const rate = errors / requests;
  let [low, high] = [rate, 1];
  for (let i = 0; i < 60; i += 1) {
    const p = (low + high) / 2;
    if (requests * divergence(rate, p) > -Math.log(confidence)) high = p;
    else low = p;
  }
  return high;
}

function divergence(a: number, b: number): number {
  if (b >= 1) return a >= 1 ? 0 : Number.POSITIVE_INFINITY;
  const part = (x: number, y: number) => (x === 0 ? 0 : x * Math.log(x / y));
  return part(a, b) + part(1 - a, 1 - b);
}
