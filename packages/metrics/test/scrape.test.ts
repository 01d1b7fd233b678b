import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EnvironmentName, ServiceName, VersionName } from "@slipway/kernel";
import { type Mesh, startMesh } from "@slipway/local-region";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { diffReadings, MetricsUnreadable, type Reading, scrapeMetrics } from "../src/index.ts";

const version = "orders-aaaaaaa-aaaaa" as VersionName;
const wanted = { environment: "prod" as EnvironmentName, service: "orders" as ServiceName, versions: [version] };
const ignore = () => undefined;
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

let dir: string;
let pod: Server;
let mesh: Mesh;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "slipway-metrics-"));
  pod = createServer((asked, answer) => void answer.writeHead(asked.url === "/bad" ? 500 : 200).end());
  await new Promise<void>((resolve) => pod.listen(0, "127.0.0.1", resolve));
  await keepRoutes((pod.address() as AddressInfo).port);
  mesh = await start();
});

afterEach(async () => {
  await mesh.stop();
  pod.closeAllConnections();
  await new Promise((resolve) => pod.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

/** The proxy's API stays away: it serves the routes that it kept. */
async function keepRoutes(port: number): Promise<void> {
  const labels = { "slipway.dev/version": version };
  const routes = {
    services: [{ namespace: "prod", name: "orders", selector: labels }],
    pods: [{ namespace: "prod", name: "p1", labels, host: "127.0.0.1", port }],
    virtualServices: [],
  };
  await writeFile(join(dir, "routes.json"), JSON.stringify(routes));
  const away = { name: "x", cluster: { server: "http://127.0.0.1:1" } };
  const context = { name: "x", context: { cluster: "x", user: "x" } };
  const config = { "current-context": "x", contexts: [context], clusters: [away], users: [{ name: "x", user: {} }] };
  await writeFile(join(dir, "kubeconfig"), JSON.stringify(config));
}

function start(): Promise<Mesh> {
  return startMesh({ region: "test", kubeconfig: join(dir, "kubeconfig"), port: 0, adminPort: 0, dir, log });
}

function ask(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asking = request(new URL(path, mesh.url), { headers: { host: "orders.prod" } }, (answer) => {
      answer.resume().once("end", resolve);
    });
    asking.on("error", reject).end();
  });
}

/** A request is counted when its answer has ended, which its sender may see a moment earlier. */
async function readingWith(requests: number): Promise<Reading> {
  const source = scrapeMetrics({ url: mesh.adminUrl });
  const counted = async (): Promise<Reading | undefined> => {
    const reading = await source.read(wanted);
    return reading.versions[version]?.hosts.p1?.requests === requests ? reading : undefined;
  };
  return await until(counted, { what: `${requests} requests are counted` });
}

describe("reading a mesh proxy", () => {
  it("gives what was counted between two looks, with latencies and the weight that is served", async () => {
    await ask("/");
    const before = await readingWith(1);
    for (const path of ["/", "/", "/bad"]) await ask(path);
    const after = await readingWith(4);

    const { versions, reset } = diffReadings(before, after);

    expect(reset).toBe(false);
    expect(versions[version]?.hosts.p1).toMatchObject({ requests: 3, errors: 1 });
    expect(versions[version]?.hosts.p1?.latency.counts.at(-1)).toBe(3);
    expect(after.servedWeight).toEqual({ [version]: 100 });
  });

  it("tells a proxy that started anew from one that counted on", async () => {
    await ask("/");
    const before = await readingWith(1);
    await mesh.stop();
    mesh = await start();
    await ask("/bad");
    const after = await readingWith(1);

    expect(diffReadings(before, after)).toMatchObject({
      reset: true,
      versions: { [version]: { hosts: { p1: { requests: 1, errors: 1 } } } },
    });
  });

  it("says that it cannot read where the proxy is away or answers something else, never zeros", async () => {
    await expect(scrapeMetrics({ url: "http://127.0.0.1:1/metrics" }).read(wanted)).rejects.toThrow(MetricsUnreadable);
    await expect(scrapeMetrics({ url: `${mesh.adminUrl}/other` }).read(wanted)).rejects.toThrow(/answered 404/);
  });
});
