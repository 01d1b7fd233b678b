import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./free-ports.ts";
import type { RealPart } from "./part.ts";
import { startRealServer } from "./server.ts";

export type CalledVersion = {
  readonly version: string;
  /** Its pods, as ports of the loopback; none: none is ready. */
  readonly pods: readonly number[];
  /** No request gets a connection. */
  readonly isFull?: boolean;
};

/** An Envoy as the proxy of a caller, which says of each answer with what flags it logs it. Versions are called by their names. */
export async function startCallersEnvoy(part: RealPart, namespace: string, versions: readonly CalledVersion[]) {
  const adminPort = await freePort();
  const server = await startRealServer(part, {
    args: ({ dir }) => ["-c", join(dir, "envoy.json"), "--concurrency", "1", "-l", "error", "--disable-hot-restart"],
    answers: async () => (await fetch(`http://127.0.0.1:${adminPort}/ready`)).ok,
    prepare: (dir, port) =>
      writeFile(join(dir, "envoy.json"), JSON.stringify(configuration(namespace, versions, port, adminPort))),
  });
  return {
    page: `http://127.0.0.1:${adminPort}/stats/prometheus`,
    /** The flags of one request. */
    async ask(version: string, path = "/"): Promise<string> {
      const answer = await fetch(`http://127.0.0.1:${server.port}/${version}${path}`);
      await answer.arrayBuffer();
      return `${answer.status} ${answer.headers.get("x-flags")}`;
    },
    stop: () => server.stop(),
  };
}

const addressOf = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });

function configuration(namespace: string, versions: readonly CalledVersion[], port: number, adminPort: number) {
  const nameOf = (version: string) => `outbound|80||${version}.${namespace}.svc.cluster.local`;
  // As Istio has it where nobody says anything else.
  const retry_policy = { retry_on: "connect-failure,refused-stream,retriable-status-codes", num_retries: 2 };
  const routes = versions.map(({ version }) => ({
    match: { prefix: `/${version}` },
    route: { cluster: nameOf(version), retry_policy: { ...retry_policy, retriable_status_codes: [503] } },
  }));
  const flags = { header: { key: "x-flags", value: "%RESPONSE_FLAGS%" } };
  const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;
  const manager = {
    ...{ "@type": type("network.http_connection_manager.v3.HttpConnectionManager"), stat_prefix: "calls" },
    http_filters: [{ name: "router", typed_config: { "@type": type("http.router.v3.Router") } }],
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes, response_headers_to_add: [flags] }] },
  };
  const filters = [{ name: "calls", typed_config: manager }];
  const clusters = versions.map(({ version, pods, isFull = false }) => ({
    ...{ name: nameOf(version), type: "STATIC", connect_timeout: "1s" },
    ...(isFull ? { circuit_breakers: { thresholds: [{ max_requests: 0, max_pending_requests: 0 }] } } : {}),
    load_assignment: {
      cluster_name: nameOf(version),
      endpoints: [{ lb_endpoints: pods.map((pod) => ({ endpoint: { address: addressOf(pod) } })) }],
    },
  }));
  return {
    admin: { address: addressOf(adminPort) },
    static_resources: { clusters, listeners: [{ address: addressOf(port), filter_chains: [{ filters }] }] },
  };
}
