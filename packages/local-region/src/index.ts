export { startAgent } from "./agent/agent.ts";
export { podLogs } from "./agent/logs.ts";
export { stopPods } from "./agent/stop-pods.ts";
export {
  type Agent,
  type AgentOptions,
  type Logger,
  type PodLogRequest,
  type PodLogs,
  podAnnotations,
  type RegistryAccess,
} from "./agent/types.ts";
export { startApiServer } from "./api/api-server.ts";
export { type Fault, Faults, type FaultyRequest } from "./api/faults.ts";
export type { ApiServer, ApiServerOptions } from "./api/types.ts";
export { readKubeconfig } from "./kube/kubeconfig.ts";
export { startMesh } from "./mesh/mesh.ts";
export type { Mesh, MeshOptions } from "./mesh/types.ts";
