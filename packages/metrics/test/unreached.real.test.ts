import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { EnvironmentName, ServiceName, VersionName } from "@slipway/kernel";
import { freePort, type RealPrometheus, realPart, startCallersEnvoy, startPrometheus, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { metricShapes, prometheusMetrics } from "../src/index.ts";
import { unreachedFlags } from "../src/metric-shape.ts";

const [envoyPart, prometheusPart] = [realPart("envoy"), realPart("prometheus")];
const [unready, refusing, full, reached] = ["a", "b", "c", "d"].map(
  (letter) => `orders-${letter.repeat(7)}-00000` as VersionName,
) as [VersionName, VersionName, VersionName, VersionName];

describe.skipIf(envoyPart === undefined || prometheusPart === undefined)("a caller's Envoy", () => {
  let pod: Server;
  let envoy: Awaited<ReturnType<typeof startCallersEnvoy>>;
  let prometheus: RealPrometheus;

  beforeAll(async () => {
    pod = createServer((asked, answer) => {
      if (asked.url?.endsWith("/breaks") === true) asked.socket.destroy();
      else answer.writeHead(asked.url?.endsWith("/fails") === true ? 503 : 200).end();
    });
    await new Promise<void>((resolve) => pod.listen(0, "127.0.0.1", resolve));
    const { port } = pod.address() as AddressInfo;
    envoy = await startCallersEnvoy(envoyPart!, "shop", [
      { version: unready, pods: [] },
      { version: refusing, pods: [await freePort()] },
      { version: full, pods: [port], isFull: true },
      { version: reached, pods: [port] },
    ]);
    prometheus = await startPrometheus(prometheusPart!, { url: envoy.page });
  });
  afterAll(async () => {
    await prometheus?.stop();
    await envoy?.stop();
    pod?.closeAllConnections();
    await new Promise((resolve) => (pod === undefined ? resolve(undefined) : pod.close(resolve)));
  });

  test("has such flags for what reached no pod as are counted with Istio's metrics, and others for what a pod had", async () => {
    const isUnreached = (flags: string) => new RegExp(`^\\d+ ${unreachedFlags}$`).test(flags);

    const of = await Promise.all([envoy.ask(unready), envoy.ask(refusing), envoy.ask(full)]);
    const others = await Promise.all(["/", "/fails", "/breaks"].map((path) => envoy.ask(reached, path)));

    expect(of).toEqual(["503 UH", "503 URX,UF", "503 UO"]);
    expect(of.map(isUnreached)).toEqual([true, true, true]);
    expect(others).toEqual(["200 -", "503 URX", "503 UC"]);
    expect(others.map(isUnreached)).toEqual([false, false, false]);
  });

  test("charges what reached no pod to the version's cluster, so that the shape of its own metrics has it", async () => {
    const source = prometheusMetrics({ url: prometheus.url, shape: metricShapes.envoy });
    const versions = [unready, refusing, full];
    const wanted = { environment: "shop" as EnvironmentName, service: "orders" as ServiceName, versions };
    const failed = async () => {
      const reading = await source.read(wanted);
      return versions.map((version) =>
        Object.values(reading.versions[version]?.hosts ?? {}).map(({ errors }) => errors),
      );
    };

    await Promise.all(versions.map((version) => envoy.ask(version)));

    await until(async () => (await failed()).flat().length === 3, { what: "Prometheus has scraped" });
    await until(async () => (await failed()).flat().every((errors) => errors >= 1), { what: "each to be counted" });
  });
});
