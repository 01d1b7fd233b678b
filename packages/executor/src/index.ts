export { defaultLimits } from "./limits.ts";
export { type ProbeOptions, probeIsolation } from "./probe.ts";
export { runStep } from "./run-step.ts";
export type {
  Isolation,
  IsolationMethod,
  IsolationRefused,
  Limits,
  LimitTier,
  Mount,
  StepRequest,
  StepResult,
} from "./types.ts";
