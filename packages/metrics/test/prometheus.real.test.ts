import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { EnvironmentName, ServiceName, VersionName } from "@slipway/kernel";
import { freePort, metricsContract, type RealPrometheus, realPart, startPrometheus, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MetricShape, MetricsUnreadable, meshDoubt, metricShapes, prometheusMetrics } from "../src/index.ts";
import { type CountingMesh, startCountingMesh } from "./support/counting-mesh.ts";

const part = realPart("prometheus");

describe.skipIf(part === undefined)("a mesh proxy, read through a real Prometheus", () => {
  type Scraped = { readonly mesh: CountingMesh; readonly prometheus: RealPrometheus };
  /** One for each test of the contract: they wait together for the first scrape, and not one after the other. */
  const ready: Scraped[] = [];
  const used: Scraped[] = [];
  const start = async (): Promise<Scraped> => {
    const mesh = await startCountingMesh();
    return { mesh, prometheus: await startPrometheus(part!, { url: `${mesh.adminUrl}/metrics` }) };
  };
  beforeAll(async () => {
    for (let n = 0; n < 4; n += 1) ready.push(await start());
  });
  afterAll(async () => {
    for (const { mesh, prometheus } of [...used, ...ready]) {
      await prometheus.stop();
      await mesh.stop();
    }
  });

  metricsContract(async () => {
    const scraped = ready.shift() ?? (await start());
    used.push(scraped);
    const { url } = scraped.prometheus;
    // Short, so that what is away is away soon.
    return {
      ...scraped.mesh,
      source: prometheusMetrics({ url, shape: metricShapes.slipway, staleAfterMs: 5_000 }),
    };
  });
});

const good = "orders-aaaaaaa-aaaaa" as VersionName;
const bad = "orders-bbbbbbb-bbbbb" as VersionName;
const wanted = {
  environment: "shop" as EnvironmentName,
  service: "orders" as ServiceName,
  versions: [good, bad],
};
const inf = Number.POSITIVE_INFINITY;
const unreached = (count: number) => ({
  ...{ requests: count, errors: count, unreached: true },
  latency: { le: [inf], counts: [0] },
});

function istioPage(): string {
  // A pod's proxy names the first Service that selects it, which is that of its version.
  const of = (version: string, code: number, more = "") =>
    `reporter="destination",source_workload="web",destination_service_name="${version}",destination_service_namespace="shop",destination_workload="${version}",destination_workload_namespace="shop",response_code="${code}"${more}`;
  const bucket = (version: string, le: string, count: number) =>
    `istio_request_duration_milliseconds_bucket{${of(version, 200, `,le="${le}"`)}} ${count}`;
  return [
    "# TYPE istio_requests_total counter",
    `istio_requests_total{${of(good, 200)}} 90`,
    `istio_requests_total{${of(good, 404)}} 5`,
    `istio_requests_total{${of(good, 503)}} 3`,
    `istio_requests_total{${of(bad, 200)}} 4`,
    `istio_requests_total{${of(`${bad}x`, 500)}} 77`,
    `istio_requests_total{${of(good, 500).replace("destination", "source")}} 88`,
    `istio_requests_total{${of(good, 500).replaceAll('"shop"', '"dev"')}} 99`,
    ...callerLines,
    "# TYPE istio_request_duration_milliseconds histogram",
    ...[bucket(good, "5", 60), bucket(good, "+Inf", 98), bucket(bad, "5", 4), bucket(bad, "+Inf", 4)],
    "",
  ].join("\n");
}

/** What proxies of callers say of those versions: of what reached no pod they alone. */
const callerLines = [
  from(bad, "UH", 20),
  from(bad, "URX,UF", 2, bad),
  from(bad, "UF,URX", 1, bad),
  from(bad, "UH", 2, "unknown", 200),
  // Counted by the destination as well, or none of the version's.
  ...["-", "URX", "UC", "UC,URX", "UT", "DC", "UF,DC", "NR", "NC", "FI"].map((flags) => from(bad, flags, 1_000, bad)),
  ...[from(`${bad}x`, "UH", 1_000), from(bad, "UH", 1_000, "unknown", 503, "dev")],
  from(bad, "UH", 9, "unknown", 503, "lost"),
];

function from(version: string, flags: string, count: number, workload = "unknown", code = 503, namespace = "shop") {
  const chosen = workload === "unknown" ? "unknown" : namespace;
  return `istio_requests_total{reporter="source",source_workload="web",destination_service="${version}.${namespace}.svc.cluster.local",destination_service_name="${version}",destination_service_namespace="${chosen}",destination_workload="${workload}",destination_workload_namespace="${chosen}",response_flags="${flags}",response_code="${code}"} ${count}`;
}

function envoyPage(): string {
  const cluster = (version: string) => `envoy_cluster_name="outbound|80||${version}"`;
  const name = "envoy_cluster_shop_svc_cluster_local__upstream_rq";
  const xx = (version: string, digit: number, count: number) =>
    `${name}_xx{envoy_response_code_class="${digit}",${cluster(version)}} ${count}`;
  const bucket = (version: string, le: string, count: number) =>
    `${name}_time_bucket{${cluster(version)},le="${le}"} ${count}`;
  return [
    "envoy_server_live 1",
    `# TYPE ${name}_xx counter`,
    ...[xx(good, 2, 90), xx(good, 4, 5), xx(good, 5, 3), xx(bad, 2, 4), xx(`${bad}x`, 5, 77)],
    `envoy_cluster_lost_svc_cluster_local__upstream_rq_xx{envoy_response_code_class="5",${cluster(bad)}} 9`,
    `envoy_cluster_dev_svc_cluster_local__upstream_rq_xx{envoy_response_code_class="5",${cluster(good)}} 99`,
    `# TYPE ${name}_time histogram`,
    ...[bucket(good, "5", 60), bucket(good, "+Inf", 98), bucket(bad, "5", 4), bucket(bad, "+Inf", 4)],
    "",
  ].join("\n");
}

/** As Istio's proxies and an Envoy without Istio's filters print it. */
const pages = { istio: istioPage(), envoy: envoyPage() };

describe.skipIf(part === undefined).each(["istio", "envoy"] as const)("metrics as %s names them", (shape) => {
  let page: Server;
  let prometheus: RealPrometheus;
  let target: string;

  beforeAll(async () => {
    page = createServer((_, answer) => void answer.setHeader("content-type", "text/plain").end(pages[shape]));
    await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
    target = `127.0.0.1:${(page.address() as AddressInfo).port}`;
    prometheus = await startPrometheus(part!, { url: `http://${target}/stats/prometheus` });
  });
  afterAll(async () => {
    await prometheus?.stop();
    page?.closeAllConnections();
    await new Promise((resolve) => (page === undefined ? resolve(undefined) : page.close(resolve)));
  });

  it("are read for the versions, the service and the environment that were asked for, and no others", async () => {
    const source = prometheusMetrics({ url: prometheus.url, shape: metricShapes[shape] });

    const reading = await until(() => source.read(wanted), { what: "Prometheus has scraped" });

    expect(reading).toEqual({
      processEpoch: "prometheus",
      versions: {
        [good]: { hosts: { [target]: { requests: 98, errors: 3, latency: { le: [5, inf], counts: [60, 98] } } } },
        [bad]: {
          hosts: {
            [target]: { requests: 4, errors: 0, latency: { le: [5, inf], counts: [4, 4] } },
            ...(shape === "istio" ? { [`from ${target}`]: unreached(25) } : {}),
          },
        },
      },
      servedWeight: null,
    });
  });

  it("are read of a mesh where no version was ever reached, which is no dead mesh", async () => {
    const source = prometheusMetrics({ url: prometheus.url, shape: metricShapes[shape] });
    const lost = { ...wanted, environment: "lost" as EnvironmentName, versions: [bad] };

    const { versions } = await until(() => source.read(lost), { what: "Prometheus has scraped" });

    const { unreached: _, ...counted } = unreached(9);
    expect(versions).toEqual({
      [bad]: { hosts: shape === "istio" ? { [`from ${target}`]: unreached(9) } : { [target]: counted } },
    });
  });

  it("are read by the labels that all series of the region have, and those of other regions are not seen", async () => {
    const labelled = (instance: string): MetricShape => ({ ...metricShapes[shape], everywhere: { instance } });
    const source = prometheusMetrics({ url: prometheus.url, shape: labelled(target) });

    const reading = await until(() => source.read(wanted), { what: "Prometheus has scraped" });

    expect(reading.versions[good]?.hosts[target]?.requests).toBe(98);
    const other = prometheusMetrics({ url: prometheus.url, shape: labelled("elsewhere") });
    await expect(other.read(wanted)).rejects.toThrow(/has no \{__name__=~.*,instance="elsewhere"\}/);
    expect(await meshDoubt(`prometheus:${prometheus.url}`, labelled("elsewhere"))).toMatch(
      /\{instance="elsewhere"\} yet/,
    );
    expect(await meshDoubt(`prometheus:${prometheus.url}`, labelled(target))).toBeUndefined();
  });

  it("cannot be read under other names, nor from a Prometheus that does not scrape the mesh", async () => {
    const other = metricShapes[shape === "istio" ? "envoy" : "istio"];
    const reading = prometheusMetrics({ url: prometheus.url, shape: other }).read(wanted);

    await expect(reading).rejects.toThrow(MetricsUnreadable);
    await expect(reading).rejects.toThrow(/let it scrape the mesh, or say how its metrics are named/);
  });
});

describe("a Prometheus that cannot be asked", () => {
  it("is named with what to do, without its password", async () => {
    const page = createServer((asked, answer) => {
      const status = asked.headers.authorization === undefined ? 404 : 401;
      answer.writeHead(status).end("<h1>no</h1>");
    });
    await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
    const { port } = page.address() as AddressInfo;
    const reading = (url: string) => prometheusMetrics({ url }).read(wanted);

    await expect(reading(`http://127.0.0.1:${await freePort()}`)).rejects.toThrow(
      /does not answer: start it, or correct/,
    );
    await expect(reading(`http://127.0.0.1:${port}`)).rejects.toThrow(/is not Prometheus \(status 404\)/);
    await expect(reading(`http://me:hidden@127.0.0.1:${port}`)).rejects.toThrow(/refuses user and password/);
    await expect(reading(`http://me:hidden@127.0.0.1:${port}`)).rejects.not.toThrow(/hidden/);
    page.closeAllConnections();
    await new Promise((resolve) => page.close(resolve));
  });
});
