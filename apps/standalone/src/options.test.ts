import { expect, test } from "vitest";
import { readOptions, usage } from "./options.ts";

const read = (...args: readonly string[]) => readOptions(args, "/checkout", "/home/ada");

test("without options the platform tells its story and stays up, with its data in the checkout", () => {
  expect(read()).toMatchObject({ once: false, fresh: false, noStory: false, dataDir: "/checkout/.slipway" });
  expect(read()).toMatchObject({ report: undefined });
});

test("--once writes run.json beside the caller, --report FILE elsewhere", () => {
  expect(read("--once")).toMatchObject({ once: true, report: "/home/ada/run.json" });
  expect(read("--once", "--report", "/tmp/x.json")).toMatchObject({ report: "/tmp/x.json" });
  expect(read("--report=y.json")).toMatchObject({ once: false, report: "/home/ada/y.json" });
});

test("--data is taken from where the caller stands", () => {
  expect(read("--data", "here")).toMatchObject({ dataDir: "/home/ada/here" });
});

test("what is not understood is told in a sentence", () => {
  for (const args of [["--onse"], ["--report"], ["once"], ["--once=yes"]]) expect(read(...args)).toBeTypeOf("string");
});

test("the usage names every option", () => {
  for (const flag of ["--once", "--report", "--fresh", "--no-story", "--no-isolation", "--data", "--verbose", "--help"])
    expect(usage).toContain(flag);
});
