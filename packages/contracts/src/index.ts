export { DockerfileBuild } from "./dockerfile-build.ts";
export { CloudEvent, type EventOf, parseEvent, type Topic, topic } from "./envelope.ts";
export {
  type ErrorCode,
  errorCatalogue,
  isErrorCode,
  Problem,
  ProblemError,
  type ProblemOptions,
  problemBody,
} from "./errors.ts";
export { artifactTopic } from "./events/artifact.ts";
export { buildTopic } from "./events/build.ts";
export { addCounts, Counts, noCounts, Verdict } from "./events/counts.ts";
export { deploymentTopic } from "./events/deployment.ts";
export { type ConsumerGroup, consumerGroups } from "./events/groups.ts";
export { notificationTopic } from "./events/notification.ts";
export { regionTopic } from "./events/region.ts";
export { isOfNewerVersion, topics } from "./events/topics.ts";
export { Judgement, watchTopic } from "./events/watch.ts";
export {
  ArtifactView,
  approvePromotion,
  BuiltProvenance,
  ExternalProvenance,
  getArtifact,
  listArtifacts,
  listPromotions,
  PromotionView,
  Provenance,
  registerArtifact,
  requestPromotion,
} from "./http/artifacts.ts";
export { AuditEntryView, AuditHead, AuditQuery, AuditVerdict, listAuditOf, verifyAuditOf } from "./http/audit.ts";
export {
  BuildStepView,
  BuildView,
  buildLogPath,
  cancelBuild,
  getBuild,
  listBuilds,
  listRepositories,
  putRepository,
  RepositoryView,
  removeRepository,
} from "./http/builds.ts";
export { Page, Reason, ValidateOnly, WaitingView } from "./http/common.ts";
export {
  approveDeployment,
  createDeployment,
  DeploymentPhase,
  DeploymentRequest,
  DeploymentStatus,
  DeploymentStatusView,
  DeploymentView,
  endedStatuses,
  GateView,
  getDeployment,
  getDeploymentStatus,
  haltDeployment,
  listDeployments,
  listEnvironments,
  listRegions,
  promoteDeployment,
  RegionState,
  resumeDeployment,
  rollbackDeployment,
} from "./http/deployments.ts";
export { anyRole, type Endpoint, endpoint, type Role } from "./http/endpoint.ts";
export { EventPosition, listEvents, topicNames } from "./http/events.ts";
export { ExternalRegistration, getImport, ImportView, listImports } from "./http/imports.ts";
export {
  type PageDeployment,
  type PageFocus,
  type PageRegion,
  PageRollbackRequest,
  type PageSession,
  type PageShipping,
  PageSignIn,
  type PageView,
  ShipChange,
  ShipRequest,
} from "./http/page.ts";
export { PublicationView, publishArtifact } from "./http/publications.ts";
export { getPush, PushView } from "./http/pushes.ts";
export type { RawAnswer, RawMethod, RawOperation, RawParameter } from "./http/raw-operation.ts";
export { getBadDeployments, getDora, listNotifications } from "./http/reports.ts";
export { acceptRestore, getRestore, RestoreDifference } from "./http/restore.ts";
export {
  listBuildSecrets,
  listWorkloadSecrets,
  putBuildSecret,
  putWorkloadSecret,
  removeBuildSecret,
  removeWorkloadSecret,
  SecretView,
} from "./http/secrets.ts";
export {
  ServiceLogLine,
  ServiceLogNote,
  ServiceLogPlace,
  ServiceLogQuery,
  serviceLogPath,
} from "./http/service-logs.ts";
export { getService, listServices, putService, ServiceEntry, ServiceView } from "./http/services.ts";
export { getWatch, listWatches, putWatch, shutWatch, WatchRequest, WatchView } from "./http/watches.ts";
export {
  BuildIdSchema,
  DeploymentIdSchema,
  DigestSchema,
  DurationMs,
  EnvironmentNameSchema,
  GitShaSchema,
  ImportIdSchema,
  InstantSchema,
  PromotionIdSchema,
  RegionNameSchema,
  ServiceNameSchema,
  VersionNameSchema,
} from "./ids.ts";
export { type BuiltInBase, builtInBases, type ImageName, isBuiltInBase, readImageName } from "./image-name.ts";
export { issueText, placedText, settingText, shown } from "./issue-text.ts";
export { nearest, nearestOf } from "./nearest.ts";
export { largestSecretBytes, SecretNameSchema, shortestMasked } from "./secret-names.ts";
export { defaultSteps, PipelineStep, PlanStepSpec, RunSpec, SlipwayFile, WorkloadSpec } from "./slipway-file.ts";
export { StepCache } from "./step-cache.ts";
export { unstorable } from "./storable.ts";
export { unknownFields } from "./unknown-fields.ts";
export { usualRemedies } from "./usual-remedies.ts";
export { waitingText, waitsText } from "./waiting-text.ts";
export { rangeText } from "./whole-number.ts";
