import { describe, expect, test } from "vitest";
import { fileErrorText, parseSlipwayYaml } from "./slipway-yaml.ts";

function errorsOf(text: string): readonly string[] {
  const parsed = parseSlipwayYaml(text);
  return parsed.kind === "errors"
    ? parsed.errors.map((error) => fileErrorText(error).replace("slipway.yaml:", ""))
    : [];
}

describe("what is no YAML is told in words, once, where it is", () => {
  test.each([
    ["nothing at all", "", "1:1 the file is empty; it needs version, service, pipeline and image"],
    ["a comment", "# later\n", "1:1 the file is empty"],
    ["a sentence", "build my service\n", '1:1 the file must be a map of keys and values, not "build my service"'],
    ["a list", "- a\n- b\n", "1:1 the file must be a map of keys and values, not a list"],
    ["a tab", "version: 1\n\tservice: x\n", "2:1 this line begins with a tab; YAML is indented with spaces"],
    ["a key twice", "version: 1\nversion: 1\n", "2:1 this key is here twice"],
    ["two documents", "---\nversion: 1\n---\nversion: 1\n", "3:1 a second document begins here (---)"],
    ["a line too far in", "version: 1\nservice: orders\n  image: x\n", "2:10 two colons in one line, or a line below"],
    ["an open bracket", "service: [orders\n", "2:1 this is no YAML: "],
    ["an alias of nothing", "version: 1\nservice: *name\n", "2:10 *name stands for something called &name further up"],
    [
      "a character that cannot be kept",
      'service: "or\\0ders"\n',
      "1:10 service: holds a character that cannot be stored",
    ],
  ])("%s", (_what, text, message) => {
    expect(errorsOf(text)).toEqual([expect.stringContaining(message)]);
  });
});

test("every kind of wrong value, all at once, each with its place and in words", () => {
  const text = `version: 1
service: orders
kind: wroker
pipeline:
  Compile: { run: x }
  a: { run: x, uses: security-scan }
  c: { run: "", timeout: soon, network: ful, needs: a }
  d: { uses: security-scan, env: { "9A": x, B: 5 } }
image: { base: node20, copy: [], command: [""] }
workload: { replicas: 0, ready: { path: healthz, timeout: 30 s }, resources: { cpu: 1.5, memory: 128MB } }
deploy: { strategy: canry, steps: [{ weight: 5.5 }, { weigth: 25 }, { weight: 101, bake: -1 }], watch: 1w }
environments: { Prod: { replicas: two } }
`;

  expect(errorsOf(text)).toEqual([
    '3:7 kind: must be "web", not "wroker"',
    "5:3 pipeline.Compile: this name is not allowed: a step name is lower-case letters, digits, - and _",
    "6:6 pipeline.a: a step has either run (a command line) or uses (a step that Slipway brings), and one of them it needs",
    "7:13 pipeline.c.run: must not be empty",
    "7:26 pipeline.c.timeout: a duration looks like 90s, 10m or 24h",
    '7:41 pipeline.c.network: must be one of "none", "registries", "full", not "ful", did you mean "full"?',
    '7:53 pipeline.c.needs: must be a list, not "a"',
    "8:36 pipeline.d.env.9A: this name is not allowed: a variable is letters, digits and _, starting with no digit",
    "8:48 pipeline.d.env.B: must be a text, not 5",
    '9:16 image.base: neither node24, python3, static nor an image of a registry, did you mean "node24"? An image: write it with its tag or digest, like node:24, ghcr.io/me/tools:1.2 or python@sha256:<64 hex digits>',
    "9:30 image.copy: must not be empty",
    "9:44 image.command.0: must not be empty",
    "10:23 workload.replicas: must be a whole number from 1 to 1000, not 0",
    '10:41 workload.ready.path: must begin with "/", not "healthz"',
    "10:59 workload.ready.timeout: a duration looks like 90s, 10m or 24h",
    "10:85 workload.resources.cpu: must be a text, not 1.5",
    "10:98 workload.resources.memory: an amount of memory looks like 256Mi or 1Gi",
    '11:21 deploy.strategy: must be one of "canary", "blue-green", "rolling", not "canry", did you mean "canary"?',
    "11:46 deploy.steps.0.weight: must be a whole number from 1 to 100, not 5.5",
    "11:53 deploy.steps.1.weight: is missing; it takes a whole number from 1 to 100",
    '11:55 unknown key "deploy.steps.1.weigth", did you mean "weight"?',
    "11:79 deploy.steps.2.weight: must be a whole number from 1 to 100, not 101",
    "11:90 deploy.steps.2.bake: must be at least 0, not -1",
    "11:104 deploy.watch: a duration looks like 90s, 10m or 24h",
    "12:17 environments.Prod: this name is not allowed: an environment name is lower-case letters, digits and dashes",
  ]);
});

test("a duration without a unit is refused with the one that was meant, beside what else is wrong", () => {
  const text = `version: 1
service: orders
pipeline: { c: { run: x, timeout: 30, env: { timeout: "5" } } }
image: { copy: [a], command: [a] }
workload: { grace: 5, ready: { timeout: 90 } }
deploy: { steps: [{ weight: 5, bake: 10 }, { weight: 100 }], watch: 0 }
wrokload: 1
`;

  expect(errorsOf(text)).toEqual([
    "3:35 pipeline.c.timeout: a duration has a unit: 30s, not 30",
    "5:20 workload.grace: a duration has a unit: 5s, not 5",
    "5:41 workload.ready.timeout: a duration has a unit: 90s, not 90",
    "6:38 deploy.steps.0.bake: a duration has a unit: 10s, not 10",
    '7:1 unknown key "wrokload", did you mean "workload"?',
  ]);
});

test("what is missing at the top is told one by one, and what is empty apart from it", () => {
  expect(errorsOf("version: 1\nservice:\n")).toEqual([
    "1:1 pipeline: is missing; it takes a map of keys and values",
    "1:1 image: is missing; it takes a map of keys and values",
    "2:9 service: is empty (null); it takes a text",
  ]);
});
