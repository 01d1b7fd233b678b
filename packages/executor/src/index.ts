export { type Builder, type Executor, type ExecutorStep, machineExecutor } from "./executor.ts";
export { kubernetesExecutor } from "./kubernetes/kubernetes-executor.ts";
export { kubernetesProblem } from "./kubernetes/kubernetes-problem.ts";
export { type KubernetesPlace, readKubernetesUrl } from "./kubernetes/place.ts";
export { defaultLimits } from "./limits.ts";
export { findRegistries, type Registries } from "./network/registries.ts";
export { type NetworkedStep, runNetworkedStep, type StepNetwork } from "./network/run-step-with-network.ts";
export { type ProbeOptions, probeIsolation } from "./probe.ts";
export { runStep } from "./run-step.ts";
export { findToolchain, type Toolchain } from "./toolchain.ts";
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
