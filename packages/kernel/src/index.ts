export { awake } from "./awake.ts";
export type {
  Brand,
  BuildId,
  DeploymentId,
  Digest,
  EnvironmentName,
  Epoch,
  GitSha,
  ImportId,
  PromotionId,
  RegionName,
  ServiceName,
  VersionName,
} from "./brand.ts";
export { certificateTrouble } from "./certificate-trouble.ts";
export { errorCodes, unreadableRemedy } from "./error-codes.ts";
export { type Machine, type Refusal, refuse, type Step, step, unreachable, type Waiting } from "./machine.ts";
export { addMs, type Clock, type Instant, instant, msBetween, systemClock } from "./time.ts";
export { within } from "./within.ts";
