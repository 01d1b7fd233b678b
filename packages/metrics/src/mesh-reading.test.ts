import type { EnvironmentName, ServiceName, VersionName } from "@slipway/kernel";
import { describe, expect, it } from "vitest";
import { meshPageReader } from "./mesh-reading.ts";

const good = "orders-aaaaaaa-aaaaa" as VersionName;
const bad = "orders-bbbbbbb-bbbbb" as VersionName;
const request = { environment: "prod" as EnvironmentName, service: "orders" as ServiceName, versions: [good, bad] };

function labels(version: string, pod: string, namespace = "prod"): string {
  return `reporter="destination",destination_workload_namespace="${namespace}",destination_workload="${version}",pod="${pod}"`;
}

const page = `${[
  "slipway_mesh_process_start_time_seconds 1700000000.5",
  `istio_requests_total{${labels(good, "p1")},response_code="200"} 90`,
  `istio_requests_total{${labels(good, "p1")},response_code="404"} 5`,
  `istio_requests_total{${labels(good, "p1")},response_code="503"} 3`,
  `istio_requests_total{${labels(good, "p1", "dev")},response_code="200"} 1000`,
  `istio_requests_total{${labels("orders-ccccccc-ccccc", "p9")},response_code="200"} 7`,
  `istio_request_duration_milliseconds_bucket{${labels(good, "p1")},le="+Inf"} 98`,
  `istio_request_duration_milliseconds_bucket{${labels(good, "p1")},le="5"} 60`,
  `slipway_mesh_route_weight{service="orders",namespace="prod",version="${good}"} 95`,
  `slipway_mesh_route_weight{service="orders",namespace="prod",version="${bad}"} 5`,
  'slipway_mesh_route_weight{service="orders",namespace="dev",version="x"} 100',
].join("\n")}\n`;

describe("the metrics page of a mesh proxy", () => {
  it("gives requests, 5xx and latency by host of the versions asked for, in the environment asked for", () => {
    const reading = meshPageReader()(page, request);

    expect(reading).toEqual({
      processEpoch: "1700000000.5",
      versions: {
        [good]: {
          hosts: { p1: { requests: 98, errors: 3, latency: { le: [5, Number.POSITIVE_INFINITY], counts: [60, 98] } } },
        },
        [bad]: { hosts: {} },
      },
      servedWeight: { [good]: 95, [bad]: 5 },
    });
  });

  it("gives what reached no pod as requests and errors of the caller, and nothing twice or of somebody else", () => {
    const from = (flags: string, service = `${bad}.prod.svc.cluster.local`, workload = "unknown") =>
      `reporter="source",response_flags="${flags}",destination_service="${service}",destination_workload="${workload}",destination_workload_namespace="${workload === "unknown" ? "unknown" : "prod"}"`;
    const more = [
      `istio_requests_total{${from("UH")},response_code="503"} 20`,
      `istio_requests_total{${from("URX,UF", undefined, bad)},response_code="503"} 2`,
      `istio_requests_total{${from("UF,URX", undefined, bad)},response_code="503"} 1`,
      `istio_requests_total{${from("UH")},response_code="200",grpc_response_status="14"} 2`,
      // The destination has counted these, or they never were for it.
      ...["-", "URX", "UC", "UT", "DC", "UC,URX", "UF,DC", "NR", "NC"].map(
        (flags) => `istio_requests_total{${from(flags, undefined, bad)},response_code="503"} 1000`,
      ),
      `istio_requests_total{${from("UH", `${bad}.dev.svc.cluster.local`)},response_code="503"} 1000`,
      `istio_requests_total{${from("UH", "orders.prod.svc.cluster.local")},response_code="503"} 1000`,
      `istio_request_duration_milliseconds_bucket{${from("UH")},le="+Inf"} 20`,
    ];

    const { versions } = meshPageReader()(`${page}${more.join("\n")}\n`, request);

    const latency = { le: [Number.POSITIVE_INFINITY], counts: [0] };
    expect(versions[bad]?.hosts).toEqual({ "from mesh": { requests: 25, errors: 25, latency, unreached: true } });
    expect(versions[good]?.hosts).toHaveProperty("p1");
    expect(Object.keys(versions[good]?.hosts ?? {})).toHaveLength(1);
  });

  it("says null where the proxy serves no route of the service", () => {
    const reading = meshPageReader()(page, { ...request, service: "billing" as ServiceName });

    expect(reading.servedWeight).toBeNull();
  });

  it("refuses a page that does not say when its counters began", () => {
    expect(() => meshPageReader()("other 1\n", request)).toThrow(/process_start_time/);
  });
});
