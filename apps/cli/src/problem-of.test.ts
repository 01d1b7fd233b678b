import { ProblemError, usualRemedies } from "@slipway/contracts";
import { expect, test } from "vitest";
import { Unusable } from "./exit-codes.ts";
import { problemOf } from "./problem-of.ts";

const help = "slipway deploy --help says what it takes.";

test("the usual remedies, which name the API, become commands for who has typed one", () => {
  const usual = (code: "request.invalid" | "deployment.not_found") =>
    problemOf(new ProblemError(code, "x", { remedy: usualRemedies[code] }), help).remedy;

  expect(usual("request.invalid")).toBe(help);
  expect(usual("deployment.not_found")).toMatch(/^slipway status SERVICE/);
  expect(problemOf(new ProblemError("artifact.not_found", "x"), help).remedy).toBe(
    "slipway artifacts list shows them.",
  );
  expect(problemOf(new Unusable("x"), help).remedy).toBe(help);
});

test("a remedy that says more is left as it is", () => {
  const remedy = "Name another.";

  expect(problemOf(new ProblemError("request.invalid", "x", { remedy }), help).remedy).toBe(remedy);
  expect(problemOf(new Unusable("x", remedy), help).remedy).toBe(remedy);
});
