import type { RegionName } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import { checks } from "./checks.ts";
import type { BadReport, ChangeReport, RunReport } from "./report.ts";
import { usualRuleCost } from "./summary.ts";

const region = "us-east-1" as RegionName;
const gate = (weight_percent: number, canary_requests = 500, verdict = "PASS") => ({
  ...{ step: 0, weight_percent, canary_requests, verdict },
  ...{ canary_errors: 0, baseline_requests: Math.round((canary_requests * (100 - weight_percent)) / weight_percent) },
  baseline_errors: 0,
});
const good: ChangeReport = {
  ...{ deployment_id: "D-2", git_sha: "a".repeat(40), digest: "sha256:0", status: "SUCCEEDED", regions: [region] },
  weights_seen: { [region]: [5, 25, 50, 100] },
  evidence: [gate(5), gate(25), gate(50)],
  ...{ failed_requests: 0, seconds: 30 },
};
const bad: BadReport = {
  ...good,
  ...{ deployment_id: "D-3", status: "ROLLED_BACK", failed_requests: 10, max_weight_percent: 5 },
  evidence: [{ ...gate(5, 120, "FAIL"), canary_errors: 20 }],
  exposure: { [region]: { requests: 1_000, to_bad_version: 52 } },
  requests_to_bad_version: 52,
  first_bad_request_at: "2026-01-01T00:00:00.000Z",
  verdict_at: "2026-01-01T00:00:01.500Z",
  traffic_back_at: { [region]: "2026-01-01T00:00:02.000Z" },
  reason: "errors",
};
const seen = { notified: true, previousServesAll: true };
const broken = (report: Partial<{ good: Partial<ChangeReport>; bad: Partial<BadReport> }>, look = seen) => {
  const whole: RunReport = { story: 1, good: { ...good, ...report.good }, bad: { ...bad, ...report.bad } };
  return checks(whole, look)
    .filter(({ holds }) => !holds)
    .map(({ what }) => what);
};

describe("what must hold of a run", () => {
  test("holds for a run as it should be", () => {
    expect(broken({})).toEqual([]);
  });

  test.each<[string, Parameters<typeof broken>[0]]>([
    ["the good change ended SUCCEEDED", { good: { status: "HELD" } }],
    ["the good change failed no request", { good: { failed_requests: 1 } }],
    ["every region climbed 5, 25, 50, 100", { good: { weights_seen: { [region]: [5, 50, 100] } } }],
    ["every region climbed 5, 25, 50, 100", { good: { weights_seen: {} } }],
    ["every region climbed 5, 25, 50, 100", { good: { weights_seen: { [region]: [25, 5, 25, 50, 100] } } }],
    ["every gate passed on evidence", { good: { evidence: [gate(5, 458), gate(25), gate(50)] } }],
    ["every gate passed on evidence", { good: { evidence: [gate(5), gate(25)] } }],
    ["every gate passed on evidence", { good: { evidence: [gate(5, 500, "NONE"), gate(25), gate(50)] } }],
    ["every region climbed 5, 25, 50, 100", { good: { regions: [] } }],
    [
      "the evidence of every gate was gathered at its weight",
      { good: { evidence: [gate(5), gate(25), { ...gate(50), canary_requests: 488, baseline_requests: 716 }] } },
    ],
    ["by a verdict, and nobody's hand", { bad: { evidence: [] } }],
    ["the bad change ended ROLLED_BACK", { bad: { status: "SUCCEEDED" } }],
    ["no proxy served the bad version above 5%", { bad: { max_weight_percent: 6 } }],
    ["no proxy served the bad version above 5%", { bad: { max_weight_percent: 0 } }],
    [
      "its share of the requests is what 5% gives",
      { bad: { exposure: { [region]: { requests: 1_000, to_bad_version: 250 } } } },
    ],
    ["traffic came back in every region", { bad: { traffic_back_at: { [region]: null } } }],
    ["traffic came back in every region", { bad: { traffic_back_at: {} } }],
  ])("%s: not by this report", (what, report) => {
    expect(broken(report)).toEqual([what]);
  });

  test("the notification, and who serves afterwards, are asked for", () => {
    expect(broken({}, { notified: false, previousServesAll: false })).toEqual([
      "the notification went out",
      "the previous version serves every request",
    ]);
  });
});

describe("the usual rule", () => {
  test("costs the measured failing for its whole minute", () => {
    const report: RunReport = { story: 1, good, bad };
    expect(usualRuleCost(report)).toEqual({ failed: 300, seconds: 60 });
  });

  test("counts until the last region has its traffic back", () => {
    const traffic_back_at = { [region]: "2026-01-01T00:00:01.000Z", other: "2026-01-01T00:00:06.000Z" };
    expect(usualRuleCost({ story: 1, good, bad: { ...bad, traffic_back_at } }).failed).toBe(100);
  });

  test("costs nothing that can be told when nothing failed", () => {
    expect(usualRuleCost({ story: 1, good, bad: { ...bad, first_bad_request_at: null } }).failed).toBe(0);
  });
});
