import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { probeIsolation } from "@slipway/executor";
import { afterEach, beforeEach, expect, test } from "vitest";
import { slipway, writeTree } from "./slipway.ts";

const isolation = await probeIsolation();
const isolated = test.skipIf(isolation.kind === "refused");

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-cli-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(`${folder}-home`, { recursive: true, force: true });
});

const image = "image: { copy: [made.txt], command: [node, made.txt] }\n";
const file = (steps: string) => `version: 1\nservice: shop\npipeline:\n${steps}${image}`;

test("validate tells every error with its place and ends with 1", async () => {
  await writeTree(folder, { "slipway.yaml": file("  build: { rnu: make }\n  test: { needs: [biuld], run: x }\n") });

  const { code, out } = await slipway(folder, "validate");

  expect(code).toBe(1);
  expect(out).toContain('slipway.yaml:4:12 unknown key "pipeline.build.rnu", did you mean "run"?');
});

test("validate --json gives the places as numbers, and the file when it is valid", async () => {
  await writeTree(folder, { "slipway.yaml": file("  build: { run: make, timeout: soon }\n") });
  const wrong = await slipway(folder, "--json", "validate");
  await writeTree(folder, { "slipway.yaml": file("  build: { run: make }\n") });
  const right = await slipway(tmpdir(), "--json", "validate", folder);

  expect(JSON.parse(wrong.out)).toMatchObject({ valid: false, errors: [{ line: 4, column: 32 }] });
  expect([wrong.code, right.code]).toEqual([1, 0]);
  expect(JSON.parse(right.out)).toMatchObject({ valid: true, file: { service: "shop" } });
});

test("a command that is misspelt is told what was meant, with exit code 2", async () => {
  const { code, err } = await slipway(folder, "valdate");

  expect(code).toBe(2);
  expect(err).toContain("Did you mean validate?");
});

test.each([
  [["--json", "deploy", "--bogus"], "slipway deploy --help says what it takes."],
  [["deploy", "shop", "3f2a91c", "--canary-percent", "many", "--json"], "slipway deploy --help says what it takes."],
  [["artifacts", "promote", "3f2a91c", "--json"], "slipway artifacts promote --help says what it takes."],
  [["--json", "artifacts"], "slipway artifacts --help lists the commands."],
  [["--json", "valdate"], "slipway --help lists the commands."],
])(
  "what is typed wrong is answered as JSON with the help of that command, not with the API's pages: %j",
  async (words, remedy) => {
    const { code, out } = await slipway(folder, ...words);

    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ code: "request.invalid", remedy, exit_code: 2 });
  },
);

test.each([
  ["0", "0"],
  ["101", "101"],
  ["4.5", '"4.5"'],
  ["NaN", '"NaN"'],
  ["many", '"many"'],
])("a number that is none, or out of its range, is one sentence: --canary-percent %s", async (given, said) => {
  const { code, err } = await slipway(folder, "deploy", "shop", "3f2a91c", "--canary-percent", given);

  expect(code).toBe(2);
  expect(err).toContain(`--canary-percent must be a whole number from 1 to 100, not ${said}.\n`);
});

test("a strategy that nobody knows is told the nearest one, in words", async () => {
  const { code, err } = await slipway(folder, "deploy", "shop", "3f2a91c", "--strategy", "canry");

  expect(code).toBe(2);
  expect(err).toContain(
    'strategy: must be one of "canary", "blue-green", "rolling", not "canry", did you mean "canary"?',
  );
});

test("the same is told to people", async () => {
  expect((await slipway(folder, "artifacts", "promote", "--bogus")).err).toContain(
    "(slipway artifacts promote --help says what it takes)",
  );
});

test("where there is no slipway.yaml and nothing is detected, what would help is named", async () => {
  expect(await slipway(folder, "validate")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/There is no slipway.yaml in .*, and no kind of repository that is known: Node: /),
  });
});

isolated("run gives each step what its needs made, and a copy of what is not committed", async () => {
  await writeTree(folder, {
    "slipway.yaml": file(
      "  build: { run: 'cat word.txt > made.txt; ls' }\n  test: { needs: [build], run: cat made.txt }\n",
    ),
    "word.txt": "hello\n",
    "ignored.txt": "x",
    ".gitignore": "ignored.txt\n",
  });
  execFileSync("git", ["init", "--quiet", folder]);

  const { code, out } = await slipway(folder, "run");

  expect(out).toContain("test | hello");
  expect(out).not.toContain("build | ignored.txt");
  expect(out).toContain("slipway | succeeded: build succeeded, test succeeded");
  expect(code).toBe(0);
  expect((await readdir(folder)).sort()).toEqual([".git", ".gitignore", "ignored.txt", "slipway.yaml", "word.txt"]);
});

isolated("run ends with 1 when a step fails, and skips what needs it", async () => {
  await writeTree(folder, {
    "slipway.yaml": file("  build: { run: exit 3 }\n  test: { needs: [build], run: 'true' }\n"),
  });

  const { code, out, err } = await slipway(folder, "--json", "run");

  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    succeeded: false,
    steps: { build: { state: "failed", exit_code: 3 }, test: { state: "skipped" } },
  });
  expect(err).toContain("build | failed after");
});

isolated("run keeps what a step wants kept until the next run", async () => {
  const cache = "cache: { key: [lock], paths: [~/.store] }";
  await writeTree(folder, {
    "slipway.yaml": file(
      `  deps: { run: "cat ~/.store/word || mkdir ~/.store; echo kept > ~/.store/word", ${cache} }\n`,
    ),
    lock: "1",
  });

  const first = await slipway(folder, "run");
  const second = await slipway(folder, "run");

  expect(first.out).toContain("deps | cache: none yet");
  expect(second.out).toMatch(/deps \| cache: restored .* by lock\ndeps \| kept/);
  expect(second.code).toBe(0);
});

isolated("the security scan of a build runs here too", async () => {
  const key = `AKIA${"Q7RXW2ZKPLM4TN5B"}`;
  await writeTree(folder, { "slipway.yaml": file("  scan: { uses: security-scan }\n"), "keys.txt": `aws = ${key}\n` });

  const { code, out } = await slipway(folder, "run");

  expect(out).toMatch(/scan \| .*keys\.txt/);
  expect(code).toBe(1);
});

test("doctor has one line for each check, with a remedy where something is bad", async () => {
  await mkdir(join(folder, ".slipway"));
  await writeTree(folder, { ".slipway/endpoints.json": JSON.stringify({ regions: { here: { api: 1, mesh: 1 } } }) });

  const people = await slipway(folder, "doctor");
  const json = await slipway(folder, "--json", "doctor");

  expect(people.code).toBe(1);
  expect(people.out).toMatch(/^bad +region here +API on 1 and mesh on 1 not reachable\. Remedy: Start the platform/m);
  expect(people.out).toMatch(/^ok +git +git version/m);
  const names = (JSON.parse(json.out) as { checks: { name: string }[] }).checks.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["node", "git", "isolation", "ports", "data folder", "disk", "token"]));
});
