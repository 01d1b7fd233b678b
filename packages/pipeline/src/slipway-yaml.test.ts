import { readFile } from "node:fs/promises";
import { SlipwayFile } from "@slipway/contracts";
import type { ServiceName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { fileErrorText, parseSlipwayYaml } from "./slipway-yaml.ts";

const orders = "orders" as ServiceName;
const good = `version: 1
service: orders
pipeline:
  compile: { run: node build.mjs }
  unit: { needs: [compile], run: node --test, timeout: 90s }
image: { copy: [dist], command: [node, dist/server.js] }
`;

function errorsOf(text: string, service?: ServiceName): string[] {
  const parsed = parseSlipwayYaml(text, service);
  return parsed.kind === "errors" ? parsed.errors.map(fileErrorText) : [];
}

test("a short file gets every default, with durations in milliseconds", () => {
  const parsed = parseSlipwayYaml(good, orders);

  expect(parsed).toMatchObject({
    kind: "file",
    file: {
      image: { base: "node24" },
      pipeline: { unit: { timeout: 90_000, needs: ["compile"] } },
      workload: { replicas: 2 },
    },
  });
});

test("the example's file is valid", async () => {
  const text = await readFile(new URL("../../../examples/order-service/slipway.yaml", import.meta.url), "utf8");

  expect(parseSlipwayYaml(text, orders)).toMatchObject({ kind: "file", file: { deploy: { strategy: "canary" } } });
});

test("all errors are told at once, each with its line and column", () => {
  const text = `version: 2
service: Orders!
pipelines: {}
pipeline:
  compile: { run: node build.mjs, colour: blue }
  unit:
    needs: compile
    run: 7
image: { copy: [], command: [node] }
`;

  const errors = errorsOf(text);

  expect(errors.map((error) => error.split(" ")[0])).toEqual([
    "slipway.yaml:1:10",
    "slipway.yaml:2:10",
    "slipway.yaml:3:1",
    "slipway.yaml:5:35",
    "slipway.yaml:7:12",
    "slipway.yaml:8:10",
    "slipway.yaml:9:16",
  ]);
  expect(errors[3]).toContain('unknown key "pipeline.compile.colour"');
});

test("what is missing is shown at the nearest thing that exists", () => {
  expect(errorsOf("version: 1\nservice: orders\npipeline:\n  a: { needs: [] }\nimage: { copy: [x] }\n")).toEqual([
    expect.stringMatching(/^slipway.yaml:4:6 pipeline.a: a step has either run \(a command line\) or uses/),
    expect.stringMatching(/^slipway.yaml:5:8 image.command/),
  ]);
});

test("a file that is not YAML is told where it breaks", () => {
  expect(errorsOf("version: 1\nservice: [orders\n")[0]).toMatch(/^slipway.yaml:3:1 /);
  expect(errorsOf("version: 1\nversion: 1\n")[0]).toMatch(/^slipway.yaml:2:1 /);
});

test("steps that need what does not exist, or each other, are errors", () => {
  const text = good
    .replace("compile: { run", "compile: { needs: [unit], run")
    .replace("needs: [compile]", "needs: [compile, lint]");

  expect(errorsOf(text)).toEqual([
    "slipway.yaml:4:21 steps wait for each other: compile -> unit -> compile",
    'slipway.yaml:5:18 step "unit" needs "lint", which does not exist',
  ]);
});

test.each(["/etc/shadow", "../other", "dist/../../x", ".git"])("the image cannot copy %s", (path) => {
  expect(errorsOf(good.replace("[dist]", `["${path}"]`))).toEqual([
    `slipway.yaml:6:17 "${path}" is not a path inside the repository`,
  ]);
});

test("another service's file is refused", () => {
  expect(errorsOf(good, "billing" as ServiceName)).toEqual([
    'slipway.yaml:2:10 the repository is registered for the service "billing", the file says "orders"',
  ]);
});

test("a file that grows by aliases is refused and not unfolded", () => {
  const layers = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);

  expect(errorsOf(["l0: &l0 [x]", ...layers].join("\n"))).toEqual([expect.stringMatching(/alias/i)]);
});

test("an enormous file is refused unread", () => {
  expect(errorsOf(`# ${"x".repeat(300_000)}`)).toEqual([expect.stringContaining("larger than")]);
});

test("a misspelt key, and a step that is needed under a misspelt name, are told what was meant", () => {
  expect(errorsOf(good.replace("timeout:", "tiemout:"))[0]).toContain('did you mean "timeout"?');
  expect(errorsOf(good.replace("image:", "imgae:")).join("\n")).toContain('unknown key "imgae", did you mean "image"?');
  expect(errorsOf(good.replace("[compile]", "[complie]"))[0]).toContain('did you mean "compile"?');
  expect(errorsOf(`${good}colour: blue\n`)[0]).toMatch(/unknown key "colour"$/);
});

const full = `version: 1
service: orders
pipeline:
  deps:
    image: node:24
    run: npm ci
    network: registries
    cache: { key: [package-lock.json], paths: [node_modules, ~/.npm] }
  scan: { uses: security-scan }
image: { base: docker.io/library/node:24, copy: [dist], command: [node, server.js], env: { NODE_ENV: production } }
`;

test("reading what was read changes nothing", () => {
  for (const text of [good, full]) {
    const parsed = parseSlipwayYaml(text, orders);
    const file = parsed.kind === "file" ? parsed.file : undefined;

    expect(file).toBeDefined();
    expect(SlipwayFile.parse(structuredClone(file))).toEqual(file);
  }
});

test("a wrong image, base or cache is told with its place", () => {
  const text = full
    .replace("image: node:24", "image: node")
    .replace("[package-lock.json]", "[/etc/passwd]")
    .replace("[node_modules, ~/.npm]", "[node_modules, ../other]")
    .replace("{ uses: security-scan }", "{ uses: security-scan, image: alpine:3 }")
    .replace("docker.io/library/node:24", "nodejs")
    .replace("NODE_ENV:", "NODE-ENV:");

  expect(errorsOf(text).map((error) => error.slice(0, 60))).toEqual([
    expect.stringMatching(/^slipway.yaml:5:12 pipeline.deps.image: not an image/),
    expect.stringMatching(/^slipway.yaml:8:20 pipeline.deps.cache.key.0: not a file/),
    expect.stringMatching(/^slipway.yaml:8:56 pipeline.deps.cache.paths.1: not a/),
    expect.stringMatching(/^slipway.yaml:9:9 pipeline.scan: a step that uses/),
    expect.stringMatching(/^slipway.yaml:10:16 image.base: neither node24/),
    expect.stringMatching(/^slipway.yaml:10:\d+ image.env.NODE-ENV/),
  ]);
});

test("one of a cache's folders cannot be inside another", () => {
  expect(errorsOf(full.replace("~/.npm", "node_modules/.bin"))).toEqual([expect.stringContaining("is inside another")]);
});

test("a Dockerfile's cache is found by its key alone, a command's keeps folders, and Slipway's own steps have none", () => {
  const text = (steps: string) =>
    `version: 1\nservice: orders\npipeline:\n${steps}image: { copy: [dist], command: [node, x] }\n`;
  const built = "  container: { uses: dockerfile, cache: { key: [package-lock.json] } }\n";

  expect(parseSlipwayYaml(text(`  one: { run: x }\n${built}`), orders)).toMatchObject({
    file: { pipeline: { container: { cache: { key: ["package-lock.json"] } } } },
  });
  expect(errorsOf(text("  one: { run: x, cache: { key: [lock] } }\n"))).toEqual([
    expect.stringMatching(/^slipway.yaml:4:25 pipeline.one.cache.paths: is missing; it takes a list of the folders/),
  ]);
  expect(errorsOf(text("  one: { uses: dockerfile, cache: { key: [lock], paths: [node_modules] } }\n"))).toEqual([
    expect.stringMatching(
      /^slipway.yaml:4:57 pipeline.one.cache.paths: a Dockerfile's cache is what its RUN lines made/,
    ),
  ]);
  expect(errorsOf(text("  one: { uses: security-scan, cache: { key: [lock] } }\n"))).toEqual([
    expect.stringMatching(/no cache unless it builds a Dockerfile$/),
  ]);
});

test("secrets are names, each once, not beside a variable of that name and not of Slipway's own steps", () => {
  const text = `version: 1
service: orders
pipeline:
  one: { run: x, secrets: [TOKEN, token] }
  two: { run: x, secrets: [PATH] }
  three: { run: x, secrets: [A, A] }
image: { copy: [dist], command: [node, x] }
`;
  expect(errorsOf(text).map((error) => error.replace(/:.*/s, ""))).toHaveLength(3);
  expect(errorsOf(text).join("\n")).toMatch(/4:\d+ .*upper-case.*\n.*5:\d+ .*reserved.*\n.*6:\d+ .*twice/s);

  const clash = `version: 1
service: orders
pipeline:
  one: { run: x, env: { TOKEN: x }, secrets: [TOKEN] }
  scan: { uses: security-scan, secrets: [TOKEN] }
image: { copy: [dist], command: [node, x] }
environments: { prod: { env: { DB_URL: x }, secrets: [DB_URL] } }
`;
  expect(errorsOf(clash)).toEqual([
    expect.stringMatching(/^slipway\.yaml:4:47 TOKEN stands under env too/),
    expect.stringMatching(/^slipway\.yaml:5:\d+ security-scan is Slipway's own step/),
    expect.stringMatching(/^slipway\.yaml:7:\d+ DB_URL stands under env too/),
  ]);
});

test("a step that waits for none that there is, and what leads out of the repository, are told beside what cannot be read", () => {
  const text = `version: 1
service: orders
pipeline:
  compile: { run: node build.mjs, colour: blue }
  unit: { needs: [compiel], run: 7 }
  lint: { needs: [7, unit], run: x }
image: { copy: [../dist], from: compil, command: [node, x] }
deploy: { strategy: sideways }
`;

  expect(errorsOf(text, "billing" as ServiceName).map((error) => error.replace("slipway.yaml:", ""))).toEqual([
    expect.stringMatching(/^2:10 the repository is registered for the service "billing"/),
    expect.stringMatching(/^4:\d+ unknown key "pipeline.compile.colour"/),
    expect.stringMatching(/^5:18 step "unit" needs "compiel", which does not exist, did you mean "compile"/),
    expect.stringMatching(/^5:\d+ pipeline.unit.run: /),
    expect.stringMatching(/^6:19 pipeline.lint.needs.0: /),
    expect.stringMatching(/^7:17 "..\/dist" is not a path inside the repository/),
    expect.stringMatching(/^7:\d+ image.from names the step "compil"/),
    expect.stringMatching(/^8:\d+ deploy.strategy: /),
  ]);
});

const built = (step: string, image: string) =>
  `version: 1\nservice: orders\npipeline:\n  container: ${step}\nimage: ${image}\n`;

test("a step that builds a Dockerfile is the image's, and then no other key of image may stand", () => {
  const parsed = parseSlipwayYaml(
    built(
      "{ uses: dockerfile, network: registries, dockerfile: { path: a/Dockerfile, args: { V: '1' } } }",
      "{ from: container }",
    ),
  );

  expect(parsed).toMatchObject({ kind: "file", file: { image: { from: "container" } } });
  expect(
    errorsOf(built("{ uses: dockerfile }", "{ from: container, base: python3, copy: [a], command: [b] }")),
  ).toEqual([
    'slipway.yaml:5:33 image.base: the Dockerfile of the step "container" says what its image is; leave it out',
    'slipway.yaml:5:48 image.copy: the Dockerfile of the step "container" says what its image is; leave it out',
    'slipway.yaml:5:62 image.command: the Dockerfile of the step "container" says what its image is; leave it out',
  ]);
});

test("a step that builds a Dockerfile may be given secrets, the other steps that Slipway brings may not", () => {
  expect(errorsOf(built("{ uses: dockerfile, secrets: [TOKEN] }", "{ from: container }"))).toEqual([]);
  expect(errorsOf(built("{ uses: security-scan, secrets: [TOKEN] }", "{ copy: [a], command: [b] }")).join()).toMatch(
    /security-scan is Slipway's own step and is given no secrets/,
  );
});

test("an image that no Dockerfile makes needs copy and command, and one that nobody takes is told of", () => {
  expect(errorsOf(built("{ run: make }", "{ base: static }"))).toEqual([
    "slipway.yaml:5:8 image.copy: is missing; it takes a list",
    "slipway.yaml:5:8 image.command: is missing; it takes a list",
  ]);
  expect(errorsOf(built("{ uses: dockerfile }", "{}"))).toEqual([
    'slipway.yaml:5:8 image: the step "container" builds one: take it by from: container',
  ]);
  expect(errorsOf(built("{ uses: dockerfile }", "{ copy: [a], command: [b] }"))).toEqual([]);
});

test.each([
  ["{ run: make, dockerfile: { path: Dockerfile } }", /dockerfile says what a step builds that has uses: dockerfile/],
  ["{ uses: dockerfile, env: { A: b } }", /a Dockerfile is given dockerfile\.args and secrets, no env/],
  ["{ uses: dockerfile, dockerfile: { path: ../Dockerfile } }", /is not a path inside the repository/],
  ["{ uses: dockerfile, dockerfile: { path: /etc/passwd } }", /is not a path inside the repository/],
  ["{ uses: dockerfile, dockerfile: { target: '--x' } }", /is not the name of a stage/],
  ["{ uses: dockerfile, dockerfile: { args: { 'a b': c } } }", /an ARG is letters, digits and _/],
  ["{ uses: dockerfile, dockerfile: { file: Dockerfile } }", /unknown key "pipeline\.container\.dockerfile\.file"/],
])("the step %s is refused", (step, why) => {
  expect(errorsOf(built(step, "{ from: container }")).join("\n")).toMatch(why);
});
