import { expect, test } from "vitest";
import { fileErrorText, parseSlipwayYaml } from "./slipway-yaml.ts";

const head = `version: 1
service: shop
pipeline: { build: { run: make } }
image: { copy: [.], command: [x] }
`;

function errorsOf(text: string): readonly string[] {
  const parsed = parseSlipwayYaml(`${head}${text}`);
  return parsed.kind === "errors" ? parsed.errors.map(fileErrorText) : [];
}

test("weights that do not climb are an error at each that does not, wherever steps stand", () => {
  const text = `deploy: { steps: [{ weight: 50 }, { weight: 5 }, { weight: 100 }] }
environments:
  prod: { steps: [{ weight: 5 }, { weight: 5 }, { weight: 100 }] }
`;

  expect(errorsOf(text)).toEqual([
    "slipway.yaml:5:45 deploy.steps.1.weight: 5 is not above the 50 of the step before it",
    "slipway.yaml:7:44 environments.prod.steps.1.weight: 5 is not above the 5 of the step before it",
  ]);
});

test("steps that do not end with 100 are an error at the last one, with what to add", () => {
  expect(errorsOf("deploy: { steps: [{ weight: 5 }, { weight: 50 }] }\n")).toEqual([
    "slipway.yaml:5:44 deploy.steps: the last step has 50, where a deployment ends with 100: add { weight: 100 }",
  ]);
});

test("a weight that is none is told once, as what it is", () => {
  const errors = errorsOf("deploy: { steps: [{ weight: 5 }, { weight: many }, { weight: 200 }] }\n");

  expect(errors).toHaveLength(2);
  expect(errors.join("\n")).not.toMatch(/not above|ends with 100/);
});

test.each(["", "deploy: { steps: [{ weight: 100 }] }\n", "environments: { prod: { replicas: 3 } }\n"])(
  "%j has no error",
  (text) => expect(errorsOf(text)).toEqual([]),
);
