import { readFileSync } from "node:fs";
import { join } from "node:path";

const runVariable = "SLIPWAY_REAL_RUN";

/** A program that `npm run test:real` has brought and checked. */
export type RealPart = {
  readonly name: string;
  /** e.g. `redis-server 7.0.15`. */
  readonly from: string;
  readonly program: string;
  /** What else it consists of, by file name, as `kubectl` of kubernetes. */
  readonly also: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
};

/**
 * The part of that name (`scripts/real/parts/NAME.json`); undefined where it cannot be had on this machine, so that its tests are skipped.
 * Name it literally in the test file: the run fetches those parts which it finds written there.
 */
export function realPart(name: string): RealPart | undefined {
  return ofThisRun().found[name];
}

/** Whether the run has a network of its own, on which every address of 10.64.0.0/10 answers. */
export function hasAddresses(): boolean {
  return ofThisRun().addresses;
}

/** Whether servers run in containers (TEST_BACKEND), not as processes. */
export function inContainers(): boolean {
  return process.env[runVariable] !== undefined && ofThisRun().backend === "containers";
}

type Run = {
  readonly found: Readonly<Record<string, RealPart>>;
  readonly addresses: boolean;
  readonly backend: "containers" | "processes";
};

/** What the run has told its tests. */
function ofThisRun(): Run {
  return JSON.parse(readFileSync(join(runFolder(), "parts.json"), "utf8"));
}

/** Another program or file of the part. */
export function fileOf(part: RealPart, name: string): string {
  const path = part.also[name];
  if (path === undefined) throw new Error(`${part.from} came without ${name}`);
  return path;
}

/** Where the servers of this run keep their data; removed with the run. */
export function runFolder(): string {
  const folder = process.env[runVariable];
  if (folder === undefined) throw new Error("tests of real parts are run by `npm run test:real`");
  return folder;
}
