import type { HostReading, ReadingDelta } from "@slipway/metrics";
import { expect, test } from "vitest";
import { baseline, canary, sampleSpec } from "../test/support/sample.ts";
import { samplesOf, versionsOf } from "./sample.ts";

const host = (requests: number, errors: number): HostReading => ({
  requests,
  errors,
  latency: { le: [10, Number.POSITIVE_INFINITY], counts: [requests - 1, requests] },
});
const delta: ReadingDelta = {
  versions: { [canary]: { hosts: { p1: host(10, 1), p2: host(30, 0) } }, [baseline]: { hosts: { p3: host(900, 2) } } },
  reset: false,
};

test("hosts are added up, and each is named with what it did", () => {
  const samples = samplesOf(delta, canary, baseline);

  expect(samples.canary).toMatchObject({
    requests: 40,
    errors: 1,
    hosts: { p1: { requests: 10, errors: 1 }, p2: { requests: 30, errors: 0 } },
    latency: { counts: [38, 40] },
  });
  expect(samples.baseline).toMatchObject({ requests: 900, errors: 2 });
});

test("requests that reached no pod are the version's, and of none of its hosts", () => {
  const caller: HostReading = { requests: 7, errors: 7, latency: { le: [Infinity], counts: [0] }, unreached: true };
  const hosts = { p1: host(10, 1), "from web": caller };

  const samples = samplesOf({ versions: { [canary]: { hosts } }, reset: false }, canary, null);

  expect(samples.canary).toMatchObject({ requests: 17, errors: 8, latency: { counts: [9, 10] } });
  expect(samples.canary.hosts).toEqual({ p1: { requests: 10, errors: 1 } });
});

test("a histogram's last bound survives JSON", () => {
  const { latency } = samplesOf(delta, canary, baseline).canary;

  expect(JSON.parse(JSON.stringify(latency))).toEqual(latency);
});

test("a version that nothing was counted of did nothing", () => {
  expect(samplesOf(delta, canary, null).baseline).toMatchObject({ requests: 0, errors: 0, hosts: {} });
});

test("metrics are asked for canary and baseline, and for one version where both are the same", () => {
  expect(versionsOf(sampleSpec(), "a")).toEqual([canary, baseline]);
  expect(versionsOf(sampleSpec({ baselines: { a: null } }), "a")).toEqual([canary]);
  expect(versionsOf(sampleSpec({ baselines: { a: canary } }), "a")).toEqual([canary]);
});
