import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

/** The checkout. */
export const home = resolve(import.meta.dirname, "../../../..");

/** A bundle of the tests' own: the one of `npm start` may be made anew while they run. Ignored by git, and dependencies are found from there. */
const folder = join(home, "apps/standalone/node_modules/.e2e");

export const entryPoints = { standalone: join(folder, "standalone.mjs"), slipway: join(folder, "slipway.mjs") };

/** Bundles the sources as they are now, by the script that `npm start` uses. */
export async function bundle(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(home, "scripts/bundle.mjs"), folder], { cwd: home });
}
