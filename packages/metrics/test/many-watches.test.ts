import type { EnvironmentName, ServiceName, VersionName } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type MetricsSource, MetricsUnreadable, prometheusMetrics } from "../src/index.ts";
import { startScriptedPrometheus } from "./support/scripted-prometheus.ts";

const watches = 40;
let prometheus: Awaited<ReturnType<typeof startScriptedPrometheus>>;
let source: MetricsSource;

beforeEach(async () => {
  prometheus = await startScriptedPrometheus();
  source = prometheusMetrics({ url: prometheus.url });
});
afterEach(() => prometheus.stop());

const versionOf = (watch: number) => `orders-aaaaaaa-${String(watch).padStart(5, "0")}` as VersionName;

function read(watch: number, environment = "prod") {
  const service = "orders" as ServiceName;
  return source.read({ environment: environment as EnvironmentName, service, versions: [versionOf(watch)] });
}

const readAll = (environment?: string) =>
  Promise.all(Array.from({ length: watches }, (_, watch) => read(watch, environment)));

test("versions that were scraped lately say that the mesh is, and nobody asks about all of the environment's series", async () => {
  for (let watch = 0; watch < watches; watch += 1) prometheus.scraped.set(versionOf(watch), prometheus.state.now - 15);

  await readAll();

  expect(prometheus.ofAll()).toEqual([]);
  expect(prometheus.asked).toHaveLength(3 * watches);
});

test("all numbers of a reading are of the moment at which the mesh was found alive", async () => {
  prometheus.scraped.set(versionOf(1), prometheus.state.now);

  await read(1);

  expect(prometheus.asked.map(({ time }) => time)).toEqual([null, "1000000", "1000000"]);
});

test("watches of versions that nobody asked share one question about the whole, in each environment", async () => {
  prometheus.scraped.set("web-bbbbbbb-bbbbb", prometheus.state.now - 10);
  let release = () => {};
  prometheus.state.holds = new Promise((resolve) => {
    release = resolve;
  });

  const reading = readAll();
  await until(() => prometheus.asked.length > watches, { what: "each to have asked of its own" });
  release();
  await reading;
  prometheus.state.now += 15;
  await readAll();
  expect(prometheus.ofAll()).toHaveLength(1);

  await readAll("dev");
  expect(prometheus.ofAll().map(({ query }) => /namespace="(\w+)"/.exec(query)?.[1])).toEqual(["prod", "dev"]);
});

test("an answer that is kept makes no mesh look alive that is scraped no more, and one that is back is seen at once", async () => {
  prometheus.scraped.set("web-bbbbbbb-bbbbb", prometheus.state.now - 10);
  await read(1);

  prometheus.state.now += 20;
  await expect(read(1)).resolves.toMatchObject({ versions: { [versionOf(1)]: { hosts: {} } } });
  prometheus.state.now += 1;
  await expect(read(1)).rejects.toThrow(
    /^the newest \{__name__=~"istio_requests_total",.*\} in Prometheus at .* is 31 s old, and says nothing about now after 30 s: let it scrape the mesh every 15 s or less \(scrape_interval\)/,
  );
  prometheus.scraped.set("web-bbbbbbb-bbbbb", prometheus.state.now);

  await expect(read(1)).resolves.toBeDefined();
});

test("versions that are gone from the mesh say nothing of it", async () => {
  prometheus.scraped.set(versionOf(1), prometheus.state.now - 31);
  await expect(read(1)).rejects.toThrow(/is 31 s old/);

  prometheus.scraped.set("web-bbbbbbb-bbbbb", prometheus.state.now);

  await expect(read(1)).resolves.toBeDefined();
});

test("nothing of a mesh, or a refusal, is an error of each who asked, and is not kept", async () => {
  await expect(read(1)).rejects.toThrow(/has no \{__name__.*let it scrape the mesh, or say how its metrics are named/);
  prometheus.scraped.set("web-bbbbbbb-bbbbb", prometheus.state.now);
  prometheus.state.refuses = true;

  const refused = await Promise.allSettled([read(1), read(2)]);
  prometheus.state.refuses = false;

  for (const one of refused)
    expect(one).toMatchObject({ reason: expect.any(MetricsUnreadable) as MetricsUnreadable, status: "rejected" });
  await expect(read(1)).resolves.toBeDefined();
});
