import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { envoyBootstrap } from "./envoy-bootstrap.ts";
import { freePort } from "./free-ports.ts";
import type { RealIstiod } from "./istiod.ts";
import type { RealRegion } from "./kubernetes.ts";
import type { RealPart } from "./part.ts";
import { type RealServer, startRealServer } from "./server.ts";

/** A region's entrance: requests to `url` with a service's name as Host go to its pods by the weights. */
export type RealProxy = RealServer & { readonly url: string; readonly metricsUrl: string };

const port = 80;

/**
 * One Envoy that istiod configures as a client's sidecar and that binds `address`, one of the loopback: several regions have theirs on one machine.
 * Port 80 asks for a network namespace of one's own, or for root.
 */
export async function startProxy(
  envoy: RealPart,
  istiod: RealIstiod,
  region: RealRegion,
  { address, number }: { readonly address: string; readonly number: number },
): Promise<RealProxy> {
  const namespace = "clients";
  await region.kubectl(["apply", "-f", "-"], JSON.stringify(listenerOn(namespace, address)));
  const adminPort = await freePort();
  const server = await startRealServer(envoy, {
    args: ({ dir }) => [
      ...["-c", join(dir, "envoy.json"), "--base-id", String(number), "--concurrency", "1", "-l", "error"],
    ],
    prepare: (dir) =>
      writeFile(join(dir, "envoy.json"), JSON.stringify(envoyBootstrap({ namespace, xds: istiod.xdsPort, adminPort }))),
    answers: async () => (await fetch(`http://127.0.0.1:${adminPort}/ready`)).ok,
  });
  return {
    ...server,
    url: `http://${address}:${port}`,
    metricsUrl: `http://127.0.0.1:${adminPort}/stats/prometheus`,
  };
}

/** Without it istiod would bind 127.0.0.1 for each service. */
function listenerOn(namespace: string, bind: string): object {
  const egress = [
    { port: { number: port, protocol: "HTTP", name: "http" }, bind, captureMode: "NONE", hosts: ["*/*"] },
  ];
  return {
    ...{ apiVersion: "v1", kind: "List" },
    items: [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      {
        ...{ apiVersion: "networking.istio.io/v1", kind: "Sidecar", metadata: { name: "default", namespace } },
        spec: { egress },
      },
    ],
  };
}
