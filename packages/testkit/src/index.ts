export { type BusWorld, busContract, freshName, testEvent } from "./bus.contract.ts";
export { type CacheWorld, cacheContract } from "./cache.contract.ts";
export { chosenScenes } from "./chosen-scenes.ts";
export { clusterContract } from "./cluster.contract.ts";
export type { ClusterWorld } from "./cluster-stage.ts";
export { databaseText } from "./database-text.ts";
export { deliveredTwice, doublingBus } from "./doubling-bus.ts";
export { type EcrServer, startEcr } from "./ecr/server.ts";
export { type ExecutorWorld, executorContract } from "./executor.contract.ts";
export { type FakeClock, fakeClock } from "./fake-clock.ts";
export { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
export { type LockWorld, lockContract } from "./lock.contract.ts";
export { countedService, type MetricsWorld, metricsContract } from "./metrics.contract.ts";
export { objectsContract } from "./objects.contract.ts";
export { type OciWorld, ociContract } from "./oci.contract.ts";
export { programEnv } from "./program-env.ts";
export type { BuilderNode } from "./real/builder-node.ts";
export {
  type BuildsCluster,
  type BuildsParts,
  builderImage,
  buildsNamespace,
  imageBuildsNamespace,
  runnerImage,
  startBuildsCluster,
  toolImage,
} from "./real/builds-cluster.ts";
export { startCallersEnvoy } from "./real/callers-envoy.ts";
export { type StagedCanary, stageCanary } from "./real/canary-stage.ts";
export { makeCertificates, type TestCertificates } from "./real/certificates.ts";
export { freePort } from "./real/free-ports.ts";
export { installedRegion, regionAccounts, regionManifestFiles, regionManifests } from "./real/installed-region.ts";
export { type RealIstiod, startIstiod } from "./real/istiod.ts";
export { type RealKafka, type RealKafkaOptions, startKafka } from "./real/kafka.ts";
export { type KubeCall, type KubeMethod, KubeRefusal } from "./real/kube-api.ts";
export { type KubeFaultProxy, startKubeFaultProxy } from "./real/kube-fault-proxy.ts";
export { type RealRegion, type RegionParts, startRegion } from "./real/kubernetes.ts";
export { machineMs, type RealMesh, startMesh } from "./real/mesh.ts";
export { type MeshStage, meshStage } from "./real/mesh-stage.ts";
export { startMoto } from "./real/moto.ts";
export { readyNode, singleNode } from "./real/node.ts";
export { onPostgres } from "./real/on-postgres.ts";
export { hasAddresses, inContainers, type RealPart, realPart, runFolder } from "./real/part.ts";
export { type RealPostgres, startPostgres } from "./real/postgres.ts";
export { type RealPrometheus, startPrometheus } from "./real/prometheus.ts";
export { type RealProxy, startProxy } from "./real/proxy.ts";
export { startRedis } from "./real/redis.ts";
export { type RealRegistry, startForeignRegistry } from "./real/registry.ts";
export { type ImageRun, type ImageRunning, runImage } from "./real/run-image.ts";
export { startS3 } from "./real/s3.ts";
export { writeServicesImage } from "./real/services-image.ts";
export { handTwice, type ReleasedEvent, releasedEvents } from "./released-events.ts";
export { kafka010, type ScriptedKafka, type ScriptedVersions, startScriptedKafka } from "./scripted-kafka.ts";
export { type SeededRandom, seededRandom } from "./seeded-random.ts";
export { shiftedClock } from "./shifted-clock.ts";
export { makeSmallRoot } from "./small-root.ts";
export { putScene, type Scene, scenesOf } from "./state-recorder.ts";
export { type TestDatabase, testDatabase } from "./test-database.ts";
export { sharedFolder } from "./test-server.ts";
export { type TrafficWrite, trafficWrites } from "./traffic-writes.ts";
export { type UntilOptions, until } from "./until.ts";
