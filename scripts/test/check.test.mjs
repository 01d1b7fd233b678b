import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { makeTestFolder } from "../check/test-folder.mjs";
import { countCutOff, countReport, hungFile } from "../check/tests.mjs";
import {
  adaptersElsewhere,
  changedMigrations,
  changedStates,
  leftForLater,
  misnumbered,
  otherMachines,
  tooLong,
} from "../check/tree.mjs";

const file = (path, text) => [{ path, text }];

test("migrations are numbered from 1 on without gaps, in every schema by itself", () => {
  expect(misnumbered(["migrations/a/0001_x.sql", "migrations/a/0002_y.sql", "migrations/b/0001_z.sql"])).toEqual([]);
  expect(misnumbered(["migrations/a/0001_x.sql", "migrations/a/0003_y.sql"])).toHaveLength(1);
  expect(misnumbered(["migrations/a/0001_x.sql", "migrations/a/0001_y.sql"])).toHaveLength(1);
  expect(misnumbered(["migrations/a/first.sql"])).toHaveLength(1);
});

test("a released migration may neither change nor go", () => {
  const released = [{ path: "migrations/a/0001_x.sql", text: "create table x ();" }];
  expect(changedMigrations(released, released)).toEqual([]);
  expect(changedMigrations(file("migrations/a/0001_x.sql", "create table y ();"), released)).toHaveLength(1);
  expect(changedMigrations([], released)).toHaveLength(1);
});

test("a released state may neither change nor go, and a README beside it may", () => {
  const path = "services/a/test/released/0.1.0/build.json";
  const released = [...file(path, "[]"), ...file("services/a/test/released/README.md", "x")];
  expect(changedStates(released, released)).toEqual([]);
  expect(changedStates(file(path, "[1]"), released)).toHaveLength(1);
  expect(changedStates([], released)).toHaveLength(1);
});

test("files of more than 500 lines are reported, lock files are not", () => {
  expect(tooLong(file("a.ts", "x\n".repeat(500)))).toEqual([]);
  expect(tooLong(file("a.ts", "x\n".repeat(501)))).toHaveLength(1);
  expect(tooLong(file("pnpm-lock.yaml", "x\n".repeat(501)))).toEqual([]);
});

test("notes for later and switched-off checks are reported with their line", () => {
  const note = ["TO", "DO"].join("");
  const off = ["biome", "ignore"].join("-");
  expect(leftForLater(file("a.ts", `x\n// ${note} later\n`))).toEqual([`a.ts:2: // ${note} later`]);
  expect(leftForLater(file("a.ts", `// ${off} lint`))).toHaveLength(1);
  expect(leftForLater(file("a.ts", "const todos = [];"))).toEqual([]);
});

test("paths of homes and addresses of packages in a lock file are reported", () => {
  expect(otherMachines(file("README.md", `see ${["", "home", "ada", "x"].join("/")}`))).toHaveLength(1);
  expect(otherMachines(file("pnpm-lock.yaml", "tarball: https://mirror.example/a.tgz"))).toHaveLength(1);
  expect(otherMachines(file("pnpm-lock.yaml", "integrity: sha512-x"))).toEqual([]);
});

test("an adapter is named in host and in tests only", () => {
  expect(adaptersElsewhere(file("services/a/src/module.ts", "postgresBus({})"))).toHaveLength(1);
  expect(adaptersElsewhere(file("packages/host/src/adapters.ts", "postgresBus({})"))).toEqual([]);
  expect(adaptersElsewhere(file("services/a/test/a.test.ts", "postgresBus({})"))).toEqual([]);
});

test("a run of tests counts what failed, what could not be run, and a bad end that nothing explains", () => {
  const report = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 1, testResults: [] };
  const broken = { status: "failed", assertionResults: [], name: "a.test.ts", message: "no such module" };

  expect(countReport(report, 0)).toMatchObject({ passed: 3, failed: 0, skipped: 1 });
  expect(countReport({ ...report, testResults: [broken] }, 1)).toMatchObject({ passed: 3, failed: 1 });
  expect(countReport(report, 1)).toMatchObject({ failed: 1 });
  expect(countReport(undefined, "SIGKILL")).toMatchObject({ passed: 0, failed: 1 });
});

test("a failed test is named with its file and the first line of why", () => {
  const failed = { status: "failed", fullName: "adds up", failureMessages: ["expected 2 to be 1\n at x.ts:1"] };
  const file = { status: "failed", assertionResults: [failed], name: resolve("packages/a/test/a.test.ts") };
  const report = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, testResults: [file] };

  expect(countReport(report, 1).names).toEqual(["packages/a/test/a.test.ts > adds up: expected 2 to be 1"]);
});

describe("the folder of the tests", () => {
  const folders = [];
  const made = (options) => {
    folders.push(makeTestFolder(options));
    return folders.at(-1);
  };
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  test("is where TMPDIR says or, with little memory or on a disk, where the system does, and goes with the next run after one that was killed", () => {
    const plenty = 64 * 1_024 ** 3;
    const place = mkdtempSync(join(tmpdir(), "slipway-place-"));
    folders.push(place);
    const dead = join(place, "slipway-tests-2147483646");
    mkdirSync(dead);

    expect(dirname(made({ env: { TMPDIR: place }, free: plenty }))).toBe(place);
    expect(existsSync(dead)).toBe(false);
    expect(dirname(made({ env: {}, free: 1_024 }))).toBe(tmpdir());
    expect(dirname(made({ env: {}, disk: import.meta.dirname, free: plenty }))).toBe(tmpdir());
  });

  test("is in memory otherwise, and everybody may write there", () => {
    const folder = made({ env: {} });
    expect(statSync(folder).mode & 0o7777).toBe(0o1777);
    if (dirname(folder) !== tmpdir()) expect(folder).toMatch(/^\/dev\/shm\/slipway-tests-\d+$/);
  });
});

describe("a run of which a file hangs", () => {
  const at = 'in the test "a region comes back"';
  const progress = (since) => ({
    running: { [resolve("packages/a/test/x.real.test.ts")]: { since, at } },
    ...{ passed: 7, failed: 0, skipped: 1 },
  });

  test("is told which one, and at what it is, once its time is over and not before", () => {
    expect(hungFile(progress(0), 60_000, 60_000)).toBeUndefined();
    expect(hungFile(progress(0), 60_000, 60_001)).toBe(
      `packages/a/test/x.real.test.ts hangs: it has not ended within 1 min, it is ${at}`,
    );
    expect(hungFile(undefined, 60_000, 60_001)).toBeUndefined();
    expect(hungFile(progress(0), undefined, 60_001)).toBeUndefined();
  });

  test("has failed, says what was under way, and keeps count of what had ended", () => {
    const result = countCutOff(progress(0), "ended after 1500 s");

    expect(result).toMatchObject({ passed: 7, failed: 1, skipped: 1, names: ["ended after 1500 s"] });
    expect(result.output).toContain(`under way: packages/a/test/x.real.test.ts, ${at}`);
  });
});
