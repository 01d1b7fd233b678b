export { type Connection, connect } from "./connection.ts";
export { ApiStatus, isStatus, RegionRejected, RegionUnavailable } from "./errors.ts";
export { formatFence, parseFence } from "./fence.ts";
export { openRegions, type RegionAccess, type Regions } from "./open-regions.ts";
export type {
  Fence,
  FencedWrite,
  FenceSeen,
  LowerRequest,
  LowerResult,
  OpenFenceRequest,
  OpenFenceResult,
  OpenRegionOptions,
  PodSummary,
  RaiseRefusal,
  RaiseRequest,
  RaiseResult,
  RegionCluster,
  RepairRequest,
  RepairResult,
  SecretValues,
  Subscription,
  Target,
  TrafficView,
  WatchedTraffic,
  WorkloadManifest,
  WorkloadStatus,
  WorkloadSummary,
} from "./port.ts";
export { unprovenLimitPercent } from "./raising.ts";
export { type Reached, reachProblem } from "./reach-problem.ts";
export { reflect } from "./reflector.ts";
export { openRegion } from "./region.ts";
export type { RegionAccount } from "./region-policies.ts";
export { lookAtRegion, type RegionLook, regionProblems } from "./region-problems.ts";
