export { binomialCdf, binomialUpper } from "./binomial.ts";
export {
  type Finding,
  holdsRamp,
  type JudgeState,
  type Look,
  look,
  type Sample,
  startAfter,
  startJudge,
  startWindow,
  verdict,
} from "./judge.ts";
export { addHistograms, type Histogram, noHistogram } from "./latency.ts";
export { type PassCounts, type PassProof, provePass } from "./pass.ts";
