import type { RegionCluster } from "@slipway/cluster";
import { type DeploymentId, type ServiceName, systemClock } from "@slipway/kernel";
import type { MetricsSource } from "@slipway/metrics";
import { silentLogger } from "@slipway/sql";
import { afterEach, expect, test, vi } from "vitest";
import { canary, sampleSpec } from "../test/support/sample.ts";
import type { Journal } from "./journal.ts";
import type { NewsQueue } from "./news-queue.ts";
import { Watchers } from "./watchers.ts";

afterEach(() => vi.useRealTimers());

test("watches take turns within the time between two looks, and each has one in it", async () => {
  vi.useFakeTimers();
  const asked: string[] = [];
  const source: MetricsSource = {
    read: async ({ service }) => {
      asked.push(service);
      return { processEpoch: "1", versions: { [canary]: { hosts: {} } }, servedWeight: null };
    },
  };
  const watchers = new Watchers({
    ports: {
      metrics: () => source,
      cluster: async () => ({}) as RegionCluster,
      ...{ clock: systemClock, log: silentLogger },
    },
    journal: {} as Journal,
    queue: { tell() {}, flush: async () => {} } as unknown as NewsQueue,
    ...{ clock: systemClock, log: silentLogger, lookEveryMs: 1_000 },
    save: async () => true,
    expire: async () => {},
  });
  const services = Array.from({ length: 8 }, (_, i) => `service-${i}` as ServiceName);
  for (const service of services)
    watchers.restore(`D-${service}` as DeploymentId, sampleSpec({ service, epochs: { a: 2 } }));
  watchers.start();

  const inEachQuarter: number[] = [];
  for (let quarter = 0; quarter < 4; quarter += 1) {
    const before = asked.length;
    await vi.advanceTimersByTimeAsync(250);
    inEachQuarter.push(asked.length - before);
  }

  expect(inEachQuarter).toEqual([2, 2, 2, 2]);
  expect(asked.toSorted()).toEqual(services);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked.toSorted()).toEqual([...services, ...services].toSorted());
});
