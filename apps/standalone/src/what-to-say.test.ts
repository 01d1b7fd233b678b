import { ProblemError } from "@slipway/contracts";
import { expect, test } from "vitest";
import { whatToSay } from "./what-to-say.ts";

test("what a service's refusal says to do is said, however deep it lies", () => {
  const refusal = new ProblemError("isolation.unavailable", "bwrap not installed", { remedy: "Install bubblewrap." });
  const error = new Error("build-service did not start: bwrap not installed", { cause: refusal });

  expect(whatToSay(error)).toBe("build-service did not start: bwrap not installed\n  Install bubblewrap.");
});

test.each([
  ["the system's", Object.assign(new Error("write"), { code: "ENOSPC" })],
  ["Postgres'", Object.assign(new Error("could not extend file"), { code: "53100" })],
  ["initdb's", new Error("initdb failed (1): could not write to file: No space left on device")],
])("a full disk is told as one, in %s words too", (_whose, cause) => {
  expect(whatToSay(new Error("it did not start", { cause }))).toMatch(
    /^it did not start\n {2}A disk is full. Make room/,
  );
});

test("anything else is said as it is", () => {
  expect(whatToSay(new Error("no"))).toBe("no");
  expect(whatToSay("text")).toBe("text");
});
