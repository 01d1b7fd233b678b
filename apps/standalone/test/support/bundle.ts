import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

/** The checkout. */
export const home = resolve(import.meta.dirname, "../../../..");

const variable = "SLIPWAY_TEST_BUNDLE";

/** A bundle of the tests' own, since the one of `npm start` may be made anew while they run. */
export const entryPoints = {
  get standalone() {
    return join(bundleFolder(), "standalone.mjs");
  },
  get slipway() {
    return join(bundleFolder(), "slipway.mjs");
  },
};

function bundleFolder(): string {
  const folder = process.env[variable];
  if (folder === undefined) throw new Error("the global setup of the end-to-end tests has made no bundle");
  return folder;
}

/** Bundles the sources as they are now, by the script that `npm start` uses, where `npm test` has not done it for both of its projects. */
export async function bundle(project: string): Promise<void> {
  if (process.env[variable] !== undefined) return;
  // Ignored by git, and dependencies are found from there.
  const folder = join(home, `apps/standalone/node_modules/.bundle-${project}`);
  await promisify(execFile)(process.execPath, [join(home, "scripts/bundle.mjs"), folder], { cwd: home });
  process.env[variable] = folder;
}
