import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { WatchRequest } from "@slipway/contracts";

type Counted = { requests: number; errors: number };

/** A mesh's metrics as Istio's proxies print them, counting as the test says. */
export type MeshPage = {
  readonly url: string;
  /** So many more requests of the version, of which so many failed. */
  count(version: string, requests: number, errors?: number): void;
  counted(version: string): Readonly<Counted>;
  stop(): Promise<void>;
};

export async function startMeshPage({ environment }: Pick<WatchRequest, "environment">): Promise<MeshPage> {
  const versions = new Map<string, Counted>();
  const of = (version: string, code: number, more = "") =>
    `reporter="destination",destination_workload_namespace="${environment}",destination_workload="${version}",response_code="${code}"${more}`;
  const page = () =>
    [...versions]
      .flatMap(([version, { requests, errors }]) => [
        `istio_requests_total{${of(version, 200)}} ${requests - errors}`,
        `istio_requests_total{${of(version, 503)}} ${errors}`,
        `istio_request_duration_milliseconds_bucket{${of(version, 200, ',le="5"')}} ${requests}`,
        `istio_request_duration_milliseconds_bucket{${of(version, 200, ',le="+Inf"')}} ${requests}`,
      ])
      .concat("")
      .join("\n");
  const server = createServer((_, answer) => void answer.setHeader("content-type", "text/plain").end(page()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const counted = (version: string) => versions.get(version) ?? { requests: 0, errors: 0 };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    counted,
    count(version, requests, errors = 0) {
      const before = counted(version);
      versions.set(version, { requests: before.requests + requests, errors: before.errors + errors });
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
