import type { EnvironmentName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { judgePromotion, type PromotionCase } from "./promotion-rules.ts";

const [dev, staging, prod] = ["dev", "staging", "prod"] as EnvironmentName[] as [
  EnvironmentName,
  EnvironmentName,
  EnvironmentName,
];

function judged(more: Partial<PromotionCase>): string {
  const answer = judgePromotion({
    digest: "sha256:x",
    to: prod,
    environments: [dev, staging, prod].map((name) => ({ name, production: name === prod })),
    reached: [dev, staging],
    badIn: [],
    isolation: "bubblewrap",
    ...more,
  });
  return answer.kind === "allowed" ? `from ${answer.from} with ${answer.approvalsNeeded}` : answer.code;
}

test.each([
  ["staging to prod needs one approver", {}, "from staging with 1"],
  ["dev to staging needs none", { to: staging, reached: [dev] }, "from dev with 0"],
  ["no environment is skipped", { reached: [dev] }, "promotion.order"],
  ["nothing is promoted to the first", { to: dev }, "promotion.order"],
  ["the environment has to exist", { to: "moon" as EnvironmentName }, "environment.not_found"],
  ["what was rolled back in prod stays out of it", { badIn: [prod] }, "artifact.marked_bad"],
  ["what was rolled back on the way stays out too", { badIn: [staging] }, "artifact.marked_bad"],
  ["what was rolled back further on may go to staging", { to: staging, badIn: [prod] }, "from dev with 0"],
  ["no unisolated build goes to prod", { isolation: "none" }, "artifact.unisolated"],
  ["an unisolated build may go to staging", { to: staging, isolation: "none" }, "from dev with 0"],
] satisfies [string, Partial<PromotionCase>, string][])("%s", (_, more, expected) => {
  expect(judged(more)).toBe(expected);
});
