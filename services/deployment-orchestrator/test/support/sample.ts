import type { Counts, Judgement, Verdict } from "@slipway/contracts";
import { addMs, type Epoch, type Instant, instant, type RegionName, type VersionName } from "@slipway/kernel";
import { newDeployment } from "../../src/accept.ts";
import type { Gate, In, Plan, PlanStep } from "../../src/domain/deployment.ts";
import { gateOf } from "../../src/domain/gate-of.ts";

export const start = instant("2026-03-01T08:00:00Z");
export const after = (minutes: number): Instant => addMs(start, minutes * 60_000);
export const regionsOf = (text: string): readonly RegionName[] => [...text] as RegionName[];
export const oldVersion = "orders-0000000-aaaaa" as VersionName;
export const newVersion = "orders-1111111-bbbbb" as VersionName;
export const minuteMs = 60_000;

/** 5% -> 25% -> 100%, ten minutes each, in production, in one region. */
export const threeSteps: readonly PlanStep[] = [
  { weightPercent: 5, bakeMs: 10 * minuteMs },
  { weightPercent: 25, bakeMs: 10 * minuteMs },
  { weightPercent: 100, bakeMs: 0 },
];

export function samplePlan(change: Partial<Plan> = {}): Plan {
  const regions = change.regions ?? regionsOf("a");
  const initial = change.initial ?? false;
  return {
    id: "D-7",
    service: "orders",
    environment: "prod",
    production: true,
    version: newVersion,
    digest: `sha256:${"1".repeat(64)}`,
    gitSha: "1".repeat(40),
    strategy: "canary",
    initial,
    steps: initial ? [{ weightPercent: 100, bakeMs: 10 * minuteMs }] : threeSteps,
    regions,
    baselines: Object.fromEntries(regions.map((region) => [region, initial ? null : oldVersion])),
    workload: {
      image: `registry/orders@sha256:${"1".repeat(64)}`,
      replicas: 4,
      env: {},
      ready: { path: "/healthz", timeoutMs: 30_000 },
      resources: { cpu: "250m", memory: "128Mi" },
      graceMs: 1_000,
    },
    verifyAfterMs: 15 * minuteMs,
    settleMs: 2_000,
    requestedBy: "ada",
    createdAt: start,
    rollsBack: null,
    ...change,
  } as Plan;
}

export function sampleDeployment(change: Partial<Plan> = {}): In<"accepted"> {
  return newDeployment(samplePlan(change));
}

export function grantOf(regions: readonly string[], epoch = 1): Record<string, Epoch> {
  return Object.fromEntries(regions.map((region) => [region, epoch as Epoch]));
}

type Finding = {
  readonly verdict: Verdict;
  readonly step?: number;
  readonly weightPercent?: number;
  readonly at?: Instant;
  readonly regions?: readonly string[];
  /** Canary requests and errors of each region. */
  readonly requests?: number;
  readonly errors?: number;
  readonly windowFrom?: Instant | undefined;
};

/** A judgement with counts that prove what it says, unless other counts are given. */
export function judgement(finding: Finding): Judgement {
  const { verdict, step = 0, weightPercent = 5, at = start, regions = ["a"], windowFrom = start } = finding;
  const each: Omit<Counts, "canary_slow"> = {
    canary_requests: finding.requests ?? Math.ceil(600 / regions.length),
    canary_errors: finding.errors ?? (verdict === "FAIL" ? 50 : 0),
    baseline_requests: 10_000,
    baseline_errors: 0,
  };
  const sum = (key: keyof typeof each) => each[key] * regions.length;
  return {
    step,
    weight_percent: weightPercent,
    verdict,
    sentence: `${verdict} at ${weightPercent}%`,
    requests_needed: verdict === "PASS" ? 0 : null,
    counts: {
      canary_requests: sum("canary_requests"),
      canary_errors: sum("canary_errors"),
      baseline_requests: sum("baseline_requests"),
      baseline_errors: sum("baseline_errors"),
    },
    regions: Object.fromEntries(regions.map((region) => [region, each])),
    window_from: windowFrom,
    at,
  };
}

export function passedGate(change: Partial<Finding> = {}): Gate {
  return gateOf(judgement({ verdict: "PASS", ...change }));
}
