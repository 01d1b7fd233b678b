import { expect, test } from "vitest";
import { inWords, otherOnItsWay, shippedElsewhere, verdictText } from "./texts.ts";

test("the page says what its buttons ship where it shows another service", () => {
  expect(shippedElsewhere("orders", "shop")).toBe(
    "The page shows shop; the Ship buttons change orders, the example, and nothing else.",
  );
  expect(shippedElsewhere("orders", "orders")).toBeUndefined();
  expect(shippedElsewhere("orders", undefined)).toBeUndefined();
});

test("a change waits for its turn only behind a deployment of the same service to the same place", () => {
  const other = { deployment_id: "D-24", service: "orders", environment: "prod" } as const;
  const text = "D-24 is on its way, and was not shipped from this page.";

  expect(otherOnItsWay(other, "orders")).toBe(`${text} A change shipped now waits for its turn.`);
  expect(otherOnItsWay(other, "shop")).toBe(text);
  expect(otherOnItsWay({ ...other, environment: "dev" }, "orders")).toBe(text);
});

const compared = { initial: false, rolls_back: null };

test.each([
  ["FAIL", { under_way: false, deployment: compared }, "FAIL"],
  ["PASS", { under_way: true, deployment: compared }, "PASS"],
  ["NONE", { under_way: true, deployment: compared }, "No verdict yet"],
  ["NONE", { under_way: false, deployment: compared }, undefined],
  ["NONE", { under_way: true, deployment: { ...compared, initial: true } }, undefined],
] as const)("a %s of the judge is a word for people or nothing: %j", (verdict, focus, text) => {
  expect(verdictText(verdict, focus)).toBe(text);
});

test("a line of the platform's shows no status as programs write it", () => {
  expect(inWords("D-4 ROLLING_OUT; gate at 5%: NONE: 0 of 3 failed")).toBe(
    "D-4 rolling out; gate at 5%: no verdict: 0 of 3 failed",
  );
  expect(inWords("gate at 5%: PASS")).toBe("gate at 5%: PASS");
  expect(inWords("IN_PROGRESS, in us-east-1")).toBe("in progress, in us-east-1");
  expect(inWords("CANARY_MONITORING at 5%")).toBe("canary monitoring at 5%");
});
