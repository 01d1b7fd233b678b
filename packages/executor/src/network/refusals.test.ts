import { expect, test } from "vitest";
import { afterRefusals } from "./refusals.ts";

const failed = { outcome: "failed", exitCode: 1, reason: "exit code 1" } as const;

test("a step that failed says at its end which hosts it was refused, and what to do", () => {
  expect(afterRefusals(failed, ["git.example:443", "files.example:443"])).toEqual({
    ...failed,
    reason:
      "exit code 1, after it was refused git.example and files.example, which are no package registries of this machine: give the step network: full in slipway.yaml (slipway init writes one)",
  });
  expect(afterRefusals(failed, ["files.example:8080"]).reason).toContain(
    "after it was refused files.example:8080, which is no package registry of this machine: ",
  );
});

test("so does one that ran out of time", () => {
  const late = { outcome: "timed_out", exitCode: null, reason: "took longer than its timeout of 1s" } as const;

  expect(afterRefusals(late, ["git.example:443"]).reason).toMatch(/^took longer .* after it was refused git\.example,/);
});

test("of many hosts the first three are named, and what is no host is not", () => {
  const { reason } = afterRefusals(failed, ["?", "a b:443", "x".repeat(500), "a:1", "b:2", "c:3", "d:4", "e:5"]);

  expect(reason).toContain("after it was refused a:1, b:2, c:3 and 2 more, which are");
});

test("a step that did its work, was cancelled or was refused nothing ends as it did", () => {
  for (const result of [
    { outcome: "succeeded", exitCode: 0 },
    { outcome: "cancelled", exitCode: null, reason: "cancelled" },
  ] as const)
    expect(afterRefusals(result, ["git.example:443"])).toBe(result);
  expect(afterRefusals(failed, [])).toBe(failed);
});
