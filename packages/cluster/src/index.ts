export { RegionRejected, RegionUnavailable } from "./errors.ts";
export { formatFence, parseFence } from "./fence.ts";
export { openRegions, type RegionAccess, type Regions } from "./open-regions.ts";
export type {
  Fence,
  FencedWrite,
  LowerRequest,
  LowerResult,
  OpenFenceRequest,
  OpenFenceResult,
  OpenRegionOptions,
  RaiseRefusal,
  RaiseRequest,
  RaiseResult,
  RegionCluster,
  SecretValues,
  Subscription,
  Target,
  TrafficView,
  WorkloadManifest,
  WorkloadStatus,
  WorkloadSummary,
} from "./port.ts";
export { unprovenLimitPercent } from "./raising.ts";
export { openRegion } from "./region.ts";
