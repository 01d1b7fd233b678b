import { expect, test } from "vitest";
import { caughtAfter, countsText } from "./counts-text.ts";

const counts = { canary_requests: 122, canary_errors: 5, baseline_requests: 2_840, baseline_errors: 0 };

test("a gate's counts are what failed on both sides", () => {
  expect(countsText({ counts })).toBe("canary 5/122 failed, baseline 0/2840");
});

test("a gate that failed for slowness begins with the requests that were slow", () => {
  const slow = { ...counts, canary_errors: 0, canary_slow: 61 };

  expect(countsText({ counts: slow })).toBe("canary 61/122 slow, 0/122 failed, baseline 0/2840");
});

test("what was caught for slowness is never told as caught after no failed request", () => {
  const fail = { step: 0, weight_percent: 5, verdict: "FAIL", ...counts };
  const after = (failed_requests: number, canary_slow?: number) =>
    caughtAfter({ failed_requests, evidence: [{ ...fail, canary_slow }] });

  expect(after(6)).toBe("6 failed requests");
  expect(after(0, 61)).toBe("61 requests slower than the baseline's limit");
  expect(after(2, 61)).toBe("61 requests slower than the baseline's limit, and 2 failed");
});
