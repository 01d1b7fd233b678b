import { ProblemError } from "@slipway/contracts";
import { expect, test } from "vitest";
import { remedyOf } from "./remedy.ts";

test("a remedy is found below what was said on the way up, and none is made up", () => {
  const cause = new ProblemError("isolation.unavailable", "no namespaces", { remedy: "Allow them." });
  expect(remedyOf(cause)).toBe("Allow them.");
  expect(remedyOf(new Error("build-service did not start", { cause }))).toBe("Allow them.");
  for (const other of [new Error("x"), new Error("x", { cause: "y" }), "x", undefined])
    expect(remedyOf(other)).toBeUndefined();
});
