import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { target } from "../../platform/weights.ts";

/** In a region. 5% of it are enough to find a canary bad in a look or two, and not to pass it in some seconds. */
const requestsPerSecond = 300;

/** The metrics page of a mesh to which requests come at an even rate, shared by the weights that the region has. */
export type MeshPage = {
  readonly url: string;
  /** From now on every request to the version fails; undefined: to none. */
  fail(version: string | undefined): void;
  stop(): Promise<void>;
};

type Counted = { requests: number; errors: number };

export async function startMeshPage(weights: () => Readonly<Record<string, number>>): Promise<MeshPage> {
  const counts = new Map<string, Counted>();
  const epoch = Date.now() / 1_000;
  let bad: string | undefined;
  let upTo = performance.now();

  function count(): void {
    const now = performance.now();
    const requests = ((now - upTo) / 1_000) * requestsPerSecond;
    upTo = now;
    for (const [version, percent] of Object.entries(weights())) {
      const known = counts.get(version) ?? { requests: 0, errors: 0 };
      const more = (requests * percent) / 100;
      known.requests += more;
      if (version === bad) known.errors += more;
      counts.set(version, known);
    }
  }

  const server = createServer((_, answer) => {
    count();
    answer.setHeader("content-type", "text/plain").end(pageOf(counts, weights(), epoch));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    fail(version) {
      count();
      bad = version;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pageOf(counts: ReadonlyMap<string, Counted>, weights: Readonly<Record<string, number>>, epoch: number) {
  const { service, environment } = target;
  const of = (version: string, more: string) =>
    `{reporter="destination",destination_workload_namespace="${environment}",destination_workload="${version}",pod="one",${more}}`;
  const counted = [...counts].flatMap(([version, { requests, errors }]) => [
    `istio_requests_total${of(version, 'response_code="200"')} ${Math.floor(requests) - Math.floor(errors)}`,
    `istio_requests_total${of(version, 'response_code="503"')} ${Math.floor(errors)}`,
    `istio_request_duration_milliseconds_bucket${of(version, 'le="5"')} ${Math.floor(requests)}`,
    `istio_request_duration_milliseconds_bucket${of(version, 'le="+Inf"')} ${Math.floor(requests)}`,
  ]);
  const served = Object.entries(weights).map(
    ([version, percent]) =>
      `slipway_mesh_route_weight{service="${service}",namespace="${environment}",version="${version}"} ${percent}`,
  );
  return [`slipway_mesh_process_start_time_seconds ${epoch}`, ...counted, ...served, ""].join("\n");
}
