import type { DeploymentStatusView, DeploymentView } from "@slipway/contracts";
import { expect, test } from "vitest";
import { nothingTold, type Told, watchLines } from "./watch-lines.ts";

const baking = {
  for: "the bake and a PASS",
  since: "2026-11-23T10:00:00.000Z",
  unblockedBy: "10:10 and enough canary requests",
};

function at(view: Partial<DeploymentView>, status: Partial<DeploymentStatusView> = {}) {
  const region = { state: "serving", weight_percent: 5, epoch: 1, baseline: null, reason: null };
  const whole = {
    status: "CANARY_MONITORING",
    verified: false,
    reason: null,
    gates: [],
    waiting: null,
    regions: { here: region },
  };
  return {
    view: { ...whole, ...view } as unknown as DeploymentView,
    status: {
      ...{
        status: view.status ?? "CANARY_MONITORING",
        weight_percent: 5,
        verdict: null,
        sentence: null,
        requests_needed: null,
      },
      ...status,
    } as unknown as DeploymentStatusView,
  };
}

/** Plays looks one after the other; the lines of each. */
function play(...looks: ReturnType<typeof at>[]): (readonly string[])[] {
  let told: Told = nothingTold;
  return looks.map((now) => {
    const news = watchLines(told, now);
    told = news.told;
    return news.lines;
  });
}

const none = (needed: number) => ({
  verdict: "NONE" as const,
  sentence: `canary 0/${459 - needed} failed`,
  requests_needed: needed,
});

test("what does not change is said once", () => {
  const now = at({ waiting: baking }, none(400));

  expect(play(now, now, now)).toEqual([
    [
      "CANARY_MONITORING at 5%",
      "  waiting for the bake and a PASS; goes on when: 10:10 and enough canary requests",
      "  evidence: NONE: canary 0/59 failed; about 400 more canary requests needed",
    ],
    [],
    [],
  ]);
});

test("evidence that trickles in is said when half of what was missing has come, and when the verdict changes", () => {
  const looks = [400, 390, 300, 200, 150, 100, 99].map((needed) => at({}, none(needed)));
  const pass = at({}, { verdict: "PASS", sentence: "canary 0/468 failed", requests_needed: 0 });

  const said = play(...looks, pass).map((lines) => lines.length);

  expect(said).toEqual([2, 0, 0, 1, 0, 1, 0, 1]);
});

test("all of it stands in the line that is written over", () => {
  const first = watchLines(nothingTold, at({}, none(400)));

  expect(watchLines(first.told, at({}, none(390))).live).toContain("about 390 more canary requests needed");
});

test("gates, weights and the end are each a line", () => {
  const gate = {
    step: 0,
    weight_percent: 5,
    verdict: "PASS",
    counts: {},
    sentence: "canary 0/468 failed, baseline 0/9358",
    at: "",
  };
  const gates = [gate] as unknown as DeploymentView["gates"];

  expect(
    play(
      at({}),
      at({ status: "ROLLING_OUT", gates }, { weight_percent: 25 }),
      at({ status: "SUCCEEDED", gates }, { weight_percent: 100, ...none(3) }),
    ).slice(1),
  ).toEqual([["gate at 5%: PASS: canary 0/468 failed, baseline 0/9358", "ROLLING_OUT at 25%"], ["SUCCEEDED at 100%"]]);
});

test("a region in trouble is named with its reason, and once more when it is over", () => {
  const away = at({
    regions: { here: { state: "away", weight_percent: 5, epoch: 1, baseline: null, reason: "no answer for 3 s" } },
  });

  expect(play(at({}), away, away, at({})).slice(1)).toEqual([
    ["  here: no answer for 3 s"],
    [],
    ["  here: answers again"],
  ]);
});

test("what a sentence says itself is not said a second time, nor what a gate has said", () => {
  const sentence = "0 of 59 canary requests failed: a verdict needs 400 more canary requests.";
  const passed = "0 of 476 canary requests failed beside 0 of 9960 on the baseline.";
  const gate = { step: 0, weight_percent: 5, verdict: "PASS", counts: {}, sentence: passed, at: "" };
  const gates = [gate] as unknown as DeploymentView["gates"];

  expect(
    play(
      at({}, { verdict: "NONE", sentence, requests_needed: 400 }),
      at({ gates }, { verdict: "PASS", sentence: passed, requests_needed: 0 }),
    ),
  ).toEqual([["CANARY_MONITORING at 5%", `  evidence: NONE: ${sentence}`], [`gate at 5%: PASS: ${passed}`]]);
});
