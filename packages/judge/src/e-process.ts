/**
 * Conditional mixture e-process of canary against baseline (Lindon & Malek; valid at any number of looks by Ville's inequality).
 *
 * Null: the canary's rate is at most r0 times the baseline's. Given a look's total of bad requests, those of the canary are
 * Binomial(total, rho) at the boundary, rho = r0 n_c / (r0 n_c + n_b), whatever the common rate does: a shared incident cancels.
 * One factor per ratio k; E is the mean of the products. P(E ever >= 1/alpha) <= alpha for a healthy canary.
 */
export type EProcess = { readonly logs: readonly number[] };

export type EProcessRule = { readonly r0: number; readonly ratios: readonly number[] };

export type Stratum = {
  readonly canary: number;
  readonly canaryBad: number;
  readonly baseline: number;
  readonly baselineBad: number;
};

export const errorRule: EProcessRule = { r0: 1.5, ratios: [1.5, 2, 3, 5, 10, 20, 50, 100] };
export const latencyRule: EProcessRule = { r0: 1.25, ratios: [1.25, 1.5, 2, 3, 5, 10] };

export function startEProcess(rule: EProcessRule): EProcess {
  return { logs: rule.ratios.map(() => 0) };
}

/** One look of one region. A look with traffic on one side only carries no comparison and changes nothing. */
export function observe(process: EProcess, rule: EProcessRule, look: Stratum): EProcess {
  const { canary, canaryBad, baseline, baselineBad } = look;
  if (canary <= 0 || baseline <= 0 || canaryBad + baselineBad === 0) return process;
  const rho = (rule.r0 * canary) / (rule.r0 * canary + baseline);
  const logs = process.logs.map((log, i) => {
    const k = rule.ratios[i] as number;
    const q = (k * rho) / (k * rho + 1 - rho);
    return log + canaryBad * Math.log(q / rho) + baselineBad * Math.log((1 - q) / (1 - rho));
  });
  return { logs };
}

/** The e-value: how many times likelier the data are under some excess than under none. Infinity when it leaves the range. */
export function eValue(process: EProcess): number {
  const top = Math.max(...process.logs);
  const mean = process.logs.reduce((sum, log) => sum + Math.exp(log - top), 0) / process.logs.length;
  return Math.exp(top + Math.log(mean));
}
