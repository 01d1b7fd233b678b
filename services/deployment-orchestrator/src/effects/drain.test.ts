import { expect, test, vi } from "vitest";
import { newVersion, oldVersion, sampleDeployment } from "../../test/support/sample.ts";
import { drainAndRetire } from "./drain.ts";
import type { Context, Ports } from "./ports.ts";

type Mesh = {
  /** Requests in each two seconds. */
  readonly own: number;
  readonly others: number;
  /** How many looks see the same, since counters are read from where they are scraped now and then. Default 1: each sees news. */
  readonly every?: number;
  /** Null where the mesh cannot say it. */
  readonly served: Readonly<Record<string, number>> | null;
};

const hosts = (requests: number) => ({
  hosts: { a: { requests, errors: 0, latency: { le: [Number.POSITIVE_INFINITY], counts: [requests] } } },
});

/** What becomes of draining the version that was taken back from that weight, and after how many seconds. */
async function drained({ own, others, served, every = 1 }: Mesh, fromPercent = 5): Promise<[string, number]> {
  vi.useFakeTimers();
  try {
    let reads = 0;
    const read = async () => {
      const times = Math.floor(reads / every);
      reads += 1;
      const versions = { [newVersion]: hosts(100 + own * times), [oldVersion]: hosts(100 + others * times) };
      return { processEpoch: "1", servedWeight: served, versions };
    };
    const retire = vi.fn(async () => ({ kind: "done" }));
    const ports = { metrics: () => ({ read }), regions: { cluster: async () => ({ retire }) } } as unknown as Ports;
    const sample = sampleDeployment();
    const regions = { a: { lowered: { at: sample.plan.createdAt, fromPercent } } };
    const state = { ...sample, phase: "restoring", relock: "granted", regions };
    const signal = new AbortController().signal;
    const ctx = { signal, current: async () => ({ state }) } as unknown as Context;
    const command = { type: "DrainAndRetire", region: "a", epoch: 1, version: newVersion } as never;
    const running = drainAndRetire(ports, command, ctx);
    await vi.runAllTimersAsync();
    const outcome = await running;
    expect(retire).toHaveBeenCalledTimes(outcome.kind === "fact" ? 1 : 0);
    return [outcome.kind === "retry" ? outcome.reason : outcome.kind, (reads - 1) * 2];
  } finally {
    vi.useRealTimers();
  }
}

test("a version that still has requests stays", async () => {
  const [said, seconds] = await drained({ own: 1, others: 1_000, served: {} });

  expect(said).toMatch(/still sends it requests \(1 in 2 s\)/);
  expect(seconds).toBe(2);
});

test("where the mesh says which weights it serves, silence is enough", async () => {
  expect(await drained({ own: 0, others: 0, served: {} })).toEqual(["fact", 2]);
});

test("where it cannot, silence counts once so many requests came by which it would have been broken", async () => {
  expect(await drained({ own: 0, others: 240, served: null })).toEqual(["fact", 2]);
  expect(await drained({ own: 0, others: 120, served: null })).toEqual(["fact", 4]);
  expect(await drained({ own: 0, others: 13, served: null }, 50)).toEqual(["fact", 2]);
});

test("with too few of them it has to last for half a minute, but not of a version that never had any", async () => {
  expect(await drained({ own: 0, others: 1, served: null })).toEqual(["fact", 30]);
  expect(await drained({ own: 0, others: 0, served: null }, 0)).toEqual(["fact", 2]);
});

test("counters that are scraped now and then are not silent because two looks see the same", async () => {
  const [said, seconds] = await drained({ own: 1, others: 20, served: null, every: 7 });

  expect(said).toMatch(/still sends it requests/);
  expect(seconds).toBe(14);
});
