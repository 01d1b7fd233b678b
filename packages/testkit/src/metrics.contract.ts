import type { EnvironmentName, ServiceName, VersionName } from "@slipway/kernel";
import { diffReadings, type MetricsSource, MetricsUnreadable, type Reading } from "@slipway/metrics";
import { expect, test } from "vitest";
import { until } from "./until.ts";

const version = "orders-aaaaaaa-aaaaa" as VersionName;
const silent = "orders-bbbbbbb-bbbbb" as VersionName;

/** What a mesh of the tests counts requests for. */
export const countedService = {
  environment: "prod" as EnvironmentName,
  service: "orders" as ServiceName,
  versions: [version, silent],
};

export type MetricsWorld = {
  readonly source: MetricsSource;
  /** Sends one request to the one pod of the version that has all traffic; `/bad` is answered with 500. */
  ask(path: string): Promise<void>;
  /** The mesh starts anew: its counters begin at nothing. */
  restart(): Promise<void>;
  /** The mesh is away from now on. */
  takeAway(): Promise<void>;
};

/** What every source of metrics must do, each test with a mesh of its own that has just started. */
export function metricsContract(make: () => Promise<MetricsWorld>): void {
  test("what was counted between two looks is their difference, with latencies", async () => {
    const { source, ask } = await make();
    await ask("/");
    const before = await readingWith(source, 1, 0);
    for (const path of ["/", "/", "/bad"]) await ask(path);
    const after = await readingWith(source, 4, 1);

    const { versions, reset } = diffReadings(before, after);

    expect(reset).toBe(false);
    expect(sums(versions[version]?.hosts)).toEqual({ requests: 3, errors: 1, latencies: 3 });
    expect(after.servedWeight === null || after.servedWeight[version] === 100).toBe(true);
  });

  test("a version that nobody asked is there, with no hosts", async () => {
    const { source, ask } = await make();
    await ask("/");

    const { versions } = await readingWith(source, 1, 0);

    expect(versions[silent]).toEqual({ hosts: {} });
  });

  test("counters that began anew are told from those that counted on", async () => {
    const { source, ask, restart } = await make();
    await ask("/");
    const before = await readingWith(source, 1, 0);
    await restart();
    await ask("/bad");
    const after = await readingWith(source, 1, 1);

    const { versions, reset } = diffReadings(before, after);

    expect(reset).toBe(true);
    expect(sums(versions[version]?.hosts)).toEqual({ requests: 1, errors: 1, latencies: 1 });
  });

  test("a mesh that is away cannot be read: an error, never zeros", async () => {
    const { source, ask, takeAway } = await make();
    await ask("/");
    await readingWith(source, 1, 0);

    await takeAway();

    const refused = async () => {
      try {
        await source.read(countedService);
        return undefined;
      } catch (error) {
        return error;
      }
    };
    expect(await until(refused, { what: "the source says that it cannot read" })).toBeInstanceOf(MetricsUnreadable);
  });
}

/** A request is counted when its answer has ended, and a source may look at that only now and then. */
async function readingWith(source: MetricsSource, requests: number, errors: number): Promise<Reading> {
  const counted = async () => {
    const reading = await source.read(countedService);
    const found = sums(reading.versions[version]?.hosts);
    return found.requests === requests && found.errors === errors && found.latencies === requests ? reading : undefined;
  };
  return await until(counted, { what: `${requests} requests and ${errors} errors are counted`, timeoutMs: 60_000 });
}

function sums(hosts: Reading["versions"][string]["hosts"] = {}) {
  const all = Object.values(hosts);
  const sum = (of: (host: (typeof all)[number]) => number) => all.reduce((total, host) => total + of(host), 0);
  return {
    requests: sum((host) => host.requests),
    errors: sum((host) => host.errors),
    latencies: sum((host) => host.latency.counts.at(-1) ?? 0),
  };
}
