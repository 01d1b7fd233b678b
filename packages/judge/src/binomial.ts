/** Natural logarithm of the gamma function (Lanczos, g = 7, n = 9): relative error below 1e-13 for x > 0. */
export function lnGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - lnGamma(1 - x);
  const t = x - 1;
  let sum = lanczos[0] as number;
  for (let i = 1; i < lanczos.length; i += 1) sum += (lanczos[i] as number) / (t + i);
  const w = t + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (t + 0.5) * Math.log(w) - w + Math.log(sum);
}

const lanczos: readonly number[] = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** P(Bin(n, p) <= x), exact up to rounding. Sums the shorter tail outward from its largest term. */
export function binomialCdf(x: number, n: number, p: number): number {
  if (x < 0) return 0;
  if (x >= n) return 1;
  if (p <= 0) return 1;
  if (p >= 1) return 0;
  const mean = n * p;
  return x <= mean ? tailSum(x, n, p, -1) : 1 - tailSum(x + 1, n, p, 1);
}

/** P(Bin(n, p) >= x). */
export function binomialUpper(x: number, n: number, p: number): number {
  if (x <= 0) return 1;
  if (x > n || p <= 0) return 0;
  if (p >= 1) return 1;
  return x > n * p ? tailSum(x, n, p, 1) : 1 - tailSum(x - 1, n, p, -1);
}

/** Sum of the probabilities from x away from the mean (direction +1 or -1). */
function tailSum(x: number, n: number, p: number, direction: 1 | -1): number {
  const odds = p / (1 - p);
  let term = Math.exp(lnChoose(n, x) + x * Math.log(p) + (n - x) * Math.log1p(-p));
  let sum = 0;
  for (let k = x; k >= 0 && k <= n && term > sum * 1e-17; k += direction) {
    sum += term;
    term *= direction === 1 ? ((n - k) / (k + 1)) * odds : k / (n - k + 1) / odds;
  }
  return Math.min(1, sum);
}

function lnChoose(n: number, k: number): number {
  return lnGamma(n + 1) - lnGamma(k + 1) - lnGamma(n - k + 1);
}
