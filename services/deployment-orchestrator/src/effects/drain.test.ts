import { expect, test, vi } from "vitest";
import { newVersion, oldVersion, sampleDeployment } from "../../test/support/sample.ts";
import { drainAndRetire } from "./drain.ts";
import type { Context, Ports } from "./ports.ts";

type Mesh = {
  /** Requests in the two seconds that are looked at. */
  readonly own: number;
  readonly others: number;
  /** Null where the mesh cannot say it. */
  readonly served: Readonly<Record<string, number>> | null;
};

const hosts = (requests: number) => ({
  hosts: { a: { requests, errors: 0, latency: { le: [Number.POSITIVE_INFINITY], counts: [requests] } } },
});

/** What becomes of draining the version that was taken back from that weight. */
async function drained({ own, others, served }: Mesh, { fromPercent = 5, attempt = 1 } = {}) {
  vi.useFakeTimers();
  try {
    let reads = 0;
    const read = async () => {
      reads += 1;
      const times = reads - 1;
      const versions = { [newVersion]: hosts(100 + own * times), [oldVersion]: hosts(100 + others * times) };
      return { processEpoch: "1", servedWeight: served, versions };
    };
    const retire = vi.fn(async () => ({ kind: "done" }));
    const ports = { metrics: () => ({ read }), regions: { cluster: async () => ({ retire }) } } as unknown as Ports;
    const sample = sampleDeployment();
    const regions = { a: { lowered: { at: sample.plan.createdAt, fromPercent } } };
    const state = { ...sample, phase: "restoring", relock: "granted", regions };
    const signal = new AbortController().signal;
    const ctx = { attempt, signal, current: async () => ({ state }) } as unknown as Context;
    const command = { type: "DrainAndRetire", region: "a", epoch: 1, version: newVersion } as never;
    const outcome = drainAndRetire(ports, command, ctx);
    await vi.runAllTimersAsync();
    const { kind } = await outcome;
    expect(retire).toHaveBeenCalledTimes(kind === "fact" ? 1 : 0);
    return kind === "retry" ? ((await outcome) as { reason: string }).reason : kind;
  } finally {
    vi.useRealTimers();
  }
}

test("a version that still has requests stays", async () => {
  expect(await drained({ own: 1, others: 1_000, served: {} })).toMatch(/still sends it requests \(1 in 2 s\)/);
});

test("where the mesh says which weights it serves, silence is enough", async () => {
  expect(await drained({ own: 0, others: 0, served: {} })).toBe("fact");
});

test("where it cannot, silence counts with enough requests by which it would have been broken", async () => {
  expect(await drained({ own: 0, others: 95, served: null })).toBe("fact");
  expect(await drained({ own: 0, others: 94, served: null })).toMatch(/too few requests to show that it sends it none/);
  expect(await drained({ own: 0, others: 5, served: null }, { fromPercent: 50 })).toBe("fact");
});

test("with too few of them its pods stay for half a minute, and not if they never had any", async () => {
  expect(await drained({ own: 0, others: 0, served: null }, { attempt: 9 })).toMatch(/half a minute/);
  expect(await drained({ own: 0, others: 0, served: null }, { attempt: 10 })).toBe("fact");
  expect(await drained({ own: 0, others: 0, served: null }, { fromPercent: 0 })).toBe("fact");
});
