import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts } from "./free-ports.ts";
import type { RealRegion } from "./kubernetes.ts";
import type { RealPart } from "./part.ts";
import { type RealServer, startRealServer } from "./server.ts";

/** Its port is the one that proxies ask for their configuration. */
export type RealIstiod = RealServer & { readonly xdsPort: number };

/** Upstream Envoy lacks Istio's own filters and refuses every listener that names one; nor are there certificates or webhooks here. */
const withoutIstiosOwn = {
  ENABLE_CA_SERVER: "false",
  PILOT_ENABLE_METADATA_EXCHANGE: "false",
  PILOT_ENABLE_ALPN_FILTER: "false",
  INJECTION_WEBHOOK_CONFIG_NAME: "",
  VALIDATION_WEBHOOK_CONFIG_NAME: "",
};

/** Istio's control plane over a region whose custom resources are installed. */
export async function startIstiod(part: RealPart, region: RealRegion): Promise<RealIstiod> {
  const namespace = "istio-system";
  await region.kubectl(
    ["apply", "-f", "-"],
    `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"${namespace}"}}`,
  );
  const [xdsPort = 0, monitoring] = await freePorts(2);
  const server = await startRealServer(part, {
    args: ({ port, dir }) => [
      ...["discovery", "--kubeconfig", region.kubeconfig, "--meshConfig", join(dir, "mesh.json")],
      ...["--httpAddr", `127.0.0.1:${port}`, "--httpsAddr", "", "--grpcAddr", `127.0.0.1:${xdsPort}`],
      ...["--secureGRPCAddr", "", "--monitoringAddr", `127.0.0.1:${monitoring}`, "--ctrlz_port", "0"],
      ...["--domain", "cluster.local"],
    ],
    env: { POD_NAME: "istiod-0", POD_NAMESPACE: namespace, CLUSTER_ID: "Kubernetes", ...withoutIstiosOwn },
    answers: async (port) => (await fetch(`http://127.0.0.1:${port}/ready`)).ok,
    prepare: (dir) => writeFile(join(dir, "mesh.json"), JSON.stringify({ enableAutoMtls: false, defaultConfig: {} })),
  });
  return { ...server, xdsPort };
}
