import type { EnvironmentName, ServiceName, VersionName } from "@slipway/kernel";
import { expect, it } from "vitest";
import { carriedHosts } from "./carried-hosts.ts";
import { diffReadings } from "./diff.ts";
import type { HostReading, VersionReading } from "./types.ts";

const request = {
  environment: "prod" as EnvironmentName,
  service: "orders" as ServiceName,
  versions: ["v" as VersionName],
};
const host = (requests: number): HostReading => ({
  requests,
  errors: 0,
  latency: { le: [Number.POSITIVE_INFINITY], counts: [requests] },
});
const reading = (versions: Record<string, VersionReading>) => ({ processEpoch: "1", versions, servedWeight: null });

it("a host that is missing once and comes back is counted from where it was", () => {
  const carried = carriedHosts(30);
  carried.fill(request, { v: { hosts: { a: host(100), b: host(7) } } }, 1);

  const without = carried.fill(request, { v: { hosts: { b: host(9) } } }, 2);
  const back = carried.fill(request, { v: { hosts: { a: host(103), b: host(9) } } }, 3);

  expect(without.v?.hosts).toEqual({ a: host(100), b: host(9) });
  expect(diffReadings(reading(without), reading(back)).versions.v?.hosts).toEqual({ a: host(3), b: host(0) });
});

it("a host that stays away is forgotten, and other services and versions are not mixed up", () => {
  const carried = carriedHosts(30);
  carried.fill(request, { v: { hosts: { a: host(1) } }, "v-2": { hosts: { c: host(4) } } }, 1);

  expect(carried.fill(request, { v: { hosts: {} } }, 3_601)).toEqual({ v: { hosts: { a: host(1) } } });
  expect(carried.fill(request, { v: { hosts: {} } }, 3_602)).toEqual({ v: { hosts: {} } });
  const other = { ...request, service: "billing" as ServiceName };
  expect(carried.fill(other, { v: { hosts: {} } }, 3)).toEqual({ v: { hosts: {} } });
});

it("of two sources that answer by turns, one of them behind the other, every request is counted once", () => {
  const carried = carriedHosts(30);
  const first = carried.fill(request, { v: { hosts: { a: host(1_000) } } }, 1);
  let before = first;
  let counted = 0;

  // The one is ten requests ahead of the other, and both go on.
  for (let turn = 1; turn <= 40; turn += 1) {
    const now = carried.fill(request, { v: { hosts: { a: host(1_000 + turn - (turn % 2) * 10) } } }, 1 + turn);
    const { versions, reset } = diffReadings(reading(before), reading(now));
    counted += versions.v?.hosts.a?.requests ?? 0;
    expect(reset).toBe(false);
    before = now;
  }

  expect(counted).toBe(40);
});

it("counters that stay below what they were have begun anew, and what says so by its epoch is believed at once", () => {
  const carried = carriedHosts(30);
  carried.fill(request, { v: { hosts: { a: host(100), b: { ...host(100), epoch: "1" } } } }, 1);
  const anew = { v: { hosts: { a: host(7), b: { ...host(7), epoch: "2" } } } };

  expect(carried.fill(request, anew, 2).v?.hosts).toMatchObject({ a: { requests: 100 }, b: { requests: 7 } });
  expect(carried.fill(request, anew, 32).v?.hosts).toMatchObject({ a: { requests: 100 } });
  expect(carried.fill(request, anew, 33).v?.hosts).toMatchObject({ a: { requests: 7 } });
});
