// What `npm test` runs once Node and the dependencies are there: static checks and tests, in two chains beside each other that take about as long on
// two cores. One is a user's way through the whole platform, which waits more than it works, and comes first where both want a core. Platforms in three
// chains at once were late for what they wait for. Every step runs whatever the others said; the last line sums them up, and a static check counts as one.
//
//   check.mjs [--only STEP]... [FILTER]...     steps: see --list; filters choose test files by a part of their path,
//                                              and then only tests are run that have such a file
import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { rmSync } from "node:fs";
import { importRules } from "./check/import-rules.mjs";
import { root, runTool, unhurried } from "./check/processes.mjs";
import { makeTestFolder } from "./check/test-folder.mjs";
import { ofPlatform, projects, projectsOf, runTests } from "./check/tests.mjs";
import { checkTree } from "./check/tree.mjs";

const seed = process.env.SLIPWAY_TEST_SEED ?? seedOfCommit();
const { only, filters, list } = readOptions(process.argv.slice(2));

/** The chain that comes first, in this order; all others are the other chain. */
const firstChain = ["user", "story"];
const steps = [
  { name: "lint", group: "static", run: () => runTool("@biomejs/biome", ["ci", "--colors=off", "."]) },
  { name: "types", group: "static", run: () => runTool("typescript", ["-p", "tsconfig.json"], "tsc") },
  { name: "page types", group: "static", run: () => runTool("typescript", ["-p", "apps/dashboard"], "tsc") },
  ...importRules(),
  { name: "unused", group: "static", run: () => runTool("knip", ["--no-progress"]) },
  ...checkTree(root),
  ...projects.map((name) => ({ name, group: "tests", run: () => runTests(name, filters, seed, through(name)) })),
];

if (list) {
  for (const { name, group } of steps) console.log(`${name} (${group})`);
} else {
  process.exitCode = await check(chosen());
}

function through(name) {
  return ofPlatform.includes(name) ? [] : unhurried;
}

/** A commit is always tested with the same seed, and each commit with another: what fails once fails again when it is looked at. */
function seedOfCommit() {
  try {
    const sha = execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, stdio: ["ignore", "pipe", "ignore"] });
    return String(Number.parseInt(sha.toString().slice(0, 7), 16));
  } catch {
    return String(randomInt(2 ** 31));
  }
}

function chosen() {
  const matched = filters.length > 0 ? projectsOf(filters) : projects;
  const unknown = only.filter((wanted) => !steps.some(({ name, group }) => wanted === name || wanted === group));
  if (unknown.length > 0) {
    console.error(`no step is called ${unknown.join(", ")}; there are: ${steps.map(({ name }) => name).join(", ")}`);
    process.exit(2);
  }
  if (matched.length === 0) {
    console.error(`no test file has ${filters.join(" or ")} in its path`);
    process.exit(2);
  }
  if (only.length === 0 && filters.length > 0) return steps.filter(({ name }) => matched.includes(name));
  return steps.filter(({ name, group }) => only.length === 0 || only.includes(name) || only.includes(group));
}

async function check(todo) {
  console.log(`Seed ${seed}; the same run again: SLIPWAY_TEST_SEED=${seed} npm test`);
  const results = new Map();
  const first = todo.filter(({ name }) => firstChain.includes(name));
  const others = todo.filter((step) => !first.includes(step));
  const folder = makeTestFolder();
  process.env.TMPDIR = folder;
  try {
    await Promise.all([otherChain(others, results), inOrder(first, results)]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return summarize(todo.map((step) => results.get(step)));
}

/** The static checks before the tests; the longest of them, which keeps one core busy, beside the others. */
async function otherChain(steps, results) {
  const isLongest = ({ name }) => name === "types";
  const checks = steps.filter(({ group }) => group === "static");
  await Promise.all([
    inOrder(checks.filter(isLongest), results),
    inOrder(
      checks.filter((step) => !isLongest(step)),
      results,
    ),
  ]);
  await inOrder(
    steps.filter(({ group }) => group === "tests"),
    results,
  );
}

async function inOrder(steps, results) {
  for (const step of steps) {
    const { name, group, run } = step;
    if (group === "tests") console.log(`\n== ${name}`);
    const began = performance.now();
    const result = await attempt(run);
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    results.set(step, { name, seconds, ...result });
    if (group === "static") console.log(`${result.failed === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
    if (result.failed > 0 && result.output) console.log(result.output.trimEnd());
  }
}

async function attempt(run) {
  try {
    return await run();
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, output: error instanceof Error ? error.stack : String(error) };
  }
}

/** The exit code; the last line is for programs, too. */
function summarize(results) {
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  console.log(
    `\n${"step".padEnd(32)}${"passed".padStart(8)}${"failed".padStart(8)}${"skipped".padStart(8)}${"s".padStart(8)}`,
  );
  for (const { name, passed, failed, skipped, seconds } of results)
    console.log(
      `${name.padEnd(32)}${[passed, failed, skipped, seconds].map((cell) => String(cell).padStart(8)).join("")}`,
    );
  const names = results.flatMap(({ names = [] }) => names);
  if (names.length > 0) console.log(`\nfailed:\n${names.map((name) => `  ${name}`).join("\n")}`);
  const skipped = sum("skipped");
  console.log(`\n${sum("passed")} passed, ${sum("failed")} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return sum("failed") === 0 && sum("passed") > 0 ? 0 : 1;
}

function readOptions(args) {
  const options = { only: [], filters: [], list: false };
  const rest = [...args];
  while (rest.length > 0) {
    const arg = rest.shift();
    if (arg === "--only") options.only.push(rest.shift() ?? "");
    else if (arg === "--list") options.list = true;
    else if (arg.startsWith("-")) {
      console.error(`unknown option ${arg}; there are --only STEP and --list`);
      process.exit(2);
    } else options.filters.push(arg);
  }
  return options;
}
