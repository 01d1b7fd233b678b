import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { programOf, root, runNode } from "./processes.mjs";

const testsTimeoutMs = 40 * 60_000;
const bundleTimeoutMs = 5 * 60_000;

/** Where the files of each vitest project lie: as vitest.config.ts says it. */
const filesOf = {
  unit: ["{packages,services,apps}/*/src/**/*.test.ts", "scripts/test/**/*.test.mjs"],
  integration: ["{packages,services,apps}/!(standalone)/test/**/*.test.ts"],
  e2e: ["apps/standalone/test/*.test.ts"],
  user: ["apps/standalone/test/user/*.test.ts"],
  story: ["apps/standalone/test/story/*.test.ts"],
};
export const projects = Object.keys(filesOf);
/** Those whose tests start platforms. */
export const ofPlatform = ["e2e", "user", "story"];

/** The projects that have a file which one of the filters names: nothing is started for the others. */
export function projectsOf(filters) {
  return projects.filter((name) =>
    globSync(filesOf[name], { cwd: root })
      // Those need servers that `npm run test:real` brings.
      .filter((path) => !path.endsWith(".real.test.ts"))
      .some((path) => filters.some((filter) => path.includes(filter))),
  );
}

/** All projects of the whole platform run this one bundle, of the sources as they are now. Its folder is ignored by git, and dependencies are found from there. */
let bundling;
async function bundled() {
  const folder = join(root, "apps/standalone/node_modules/.bundle-check");
  bundling ??= runNode([join(root, "scripts/bundle.mjs"), folder], { timeoutMs: bundleTimeoutMs });
  const { code, output } = await bundling;
  if (code !== 0) throw new Error(`the platform could not be bundled (${code}): ${output}`);
  return { SLIPWAY_TEST_BUNDLE: folder };
}

/**
 * One vitest project: its tests are counted from vitest's own report, and a run that breaks without a failed test is one failure. `fileMs`: a file that has not
 * ended so long after it began hangs, and ends the run.
 */
export async function runTests(project, filters, seed, through = [], { timeoutMs = testsTimeoutMs, fileMs } = {}) {
  const bundle = ofPlatform.includes(project) ? await bundled() : {};
  const folder = mkdtempSync(join(tmpdir(), "slipway-check-"));
  const file = join(folder, "report.json");
  const progress = join(folder, "progress.json");
  const env = { SLIPWAY_TEST_SEED: seed, SLIPWAY_TEST_PROGRESS: progress, ...bundle };
  try {
    const { code, late } = await runNode(
      [
        programOf("vitest"),
        "run",
        `--project=${project}`,
        "--reporter=default",
        "--reporter=json",
        ...(fileMs === undefined ? [] : [`--reporter=${join(root, "scripts/check/progress-reporter.mjs")}`]),
        `--outputFile.json=${file}`,
        ...(filters.length > 0 ? ["--passWithNoTests", ...filters] : []),
      ],
      { timeoutMs, show: true, env, through, hangs: () => hungFile(readReport(progress), fileMs, Date.now()) },
    );
    const report = readReport(file);
    return report === undefined && late !== undefined
      ? countCutOff(readReport(progress), late)
      : countReport(report, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** The file that has not ended in its time, and what it is at; nothing while there is none. Exported for its test. */
export function hungFile(progress, fileMs, now) {
  const late = runningOf(progress).find(([, { since }]) => now - since > fileMs);
  if (late === undefined) return undefined;
  const [file, { at }] = late;
  return `${relative(root, file)} hangs: it has not ended within ${Math.round(fileMs / 60_000)} min, it is ${at}`;
}

const runningOf = (progress) => Object.entries(progress?.running ?? {});

/** What is known of a run that had to be cut off. Exported for its test. */
export function countCutOff(progress, late) {
  const running = runningOf(progress).map(([file, { at }]) => `${relative(root, file)}, ${at}`);
  const { passed = 0, failed = 0, skipped = 0 } = progress ?? {};
  const output = [`the tests were cut off: ${late}`, ...running.map((one) => `  under way: ${one}`)].join("\n");
  return { passed, failed: failed + 1, skipped, names: [late], output };
}

/** Exported for its test. `code`: the exit code, or the name of the signal that ended the run. */
export function countReport(report, code) {
  if (report === undefined)
    return { passed: 0, failed: 1, skipped: 0, output: `the tests ended with ${code} and left no report` };
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((assertion) => assertion.status === "failed"),
  );
  const failed = report.numFailedTests + broken.length;
  const unexplained = code !== 0 && failed === 0 ? 1 : 0;
  return {
    passed: report.numPassedTests,
    failed: failed + unexplained,
    skipped: report.numPendingTests + (report.numTodoTests ?? 0),
    names: failedNames(report),
    output: [
      ...broken.map(({ name, message }) => `${name} could not be run: ${message}`),
      ...(unexplained > 0 ? [`the tests ended with ${code} although none failed`] : []),
    ].join("\n"),
  };
}

/** Each failed test by its file and name with the first line of why: what a log that lost its middle must still say at its end. */
function failedNames(report) {
  return report.testResults.flatMap(({ name: file, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === "failed")
      .map(({ fullName, failureMessages }) => {
        const [why = ""] = (failureMessages?.[0] ?? "").split("\n");
        return `${relative(root, file)} > ${fullName}: ${why.slice(0, 300)}`;
      }),
  );
}
