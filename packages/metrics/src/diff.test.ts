import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffReadings } from "./diff.ts";
import type { HostReading, Reading } from "./types.ts";

const inf = Number.POSITIVE_INFINITY;

function host(requests: number, errors: number, fast = requests): HostReading {
  return { requests, errors, latency: { le: [10, inf], counts: [fast, requests] } };
}

function reading(hosts: Record<string, HostReading>, processEpoch = "1"): Reading {
  return { processEpoch, versions: { v: { hosts } }, servedWeight: null };
}

describe("the difference of two readings", () => {
  it("is what was counted in between, host by host", () => {
    const delta = diffReadings(
      reading({ a: host(10, 1), b: host(5, 0) }),
      reading({ a: host(25, 4, 20), b: host(5, 0) }),
    );

    expect(delta).toEqual({
      versions: {
        v: { hosts: { a: { requests: 15, errors: 3, latency: { le: [10, inf], counts: [10, 15] } }, b: host(0, 0) } },
      },
      reset: false,
    });
  });

  it("counts from zero after the source started anew, and says so", () => {
    const delta = diffReadings(reading({ a: host(100, 0) }, "1"), reading({ a: host(150, 2) }, "2"));

    expect(delta).toEqual({ versions: { v: { hosts: { a: host(150, 2) } } }, reset: true });
  });

  it("counts from zero for a host whose counter went down, and leaves the other hosts alone", () => {
    const delta = diffReadings(reading({ a: host(100, 0), b: host(7, 0) }), reading({ a: host(3, 1), b: host(9, 0) }));

    expect(delta.versions.v?.hosts).toEqual({ a: host(3, 1), b: host(2, 0) });
    expect(delta.reset).toBe(true);
  });

  it("is everything when there is nothing to compare with", () => {
    expect(diffReadings(null, reading({ a: host(4, 1) })).versions.v?.hosts.a).toEqual(host(4, 1));
  });

  it("takes the first latencies of a host that had none before as new, not as a reset", () => {
    const silent: HostReading = { requests: 0, errors: 0, latency: { le: [inf], counts: [0] } };

    expect(diffReadings(reading({ a: silent }), reading({ a: host(4, 0) }))).toMatchObject({ reset: false });
  });

  it("adds up: two looks in a row count what one long look counts", () => {
    const step = fc.record({ ok: fc.nat(50), errors: fc.nat(50) });
    fc.assert(
      fc.property(step, step, (first, second) => {
        const none = reading({ a: host(0, 0) });
        const one = reading({ a: host(first.ok + first.errors, first.errors) });
        const requests = first.ok + first.errors + second.ok + second.errors;
        const two = reading({ a: host(requests, first.errors + second.errors) });
        const parts = [diffReadings(none, one), diffReadings(one, two)].map((delta) => delta.versions.v?.hosts.a);

        expect(parts.reduce((sum, part) => sum + (part?.requests ?? 0), 0)).toBe(requests);
        expect(parts.reduce((sum, part) => sum + (part?.errors ?? 0), 0)).toBe(first.errors + second.errors);
      }),
    );
  });
});
