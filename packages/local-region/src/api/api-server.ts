import type { ApiServer, ApiServerOptions } from "./types.ts";

/** Serves one region's Kubernetes API. Resolves when it listens and the kubeconfig is written. */
export function startApiServer(_options: ApiServerOptions): Promise<ApiServer> {
  throw new Error("not written yet");
}
