import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

export const commandLineVariable = "SLIPWAY_TEST_COMMAND_LINE";

/** One bundle of the command line as it is now: each of its calls starts it anew. */
export async function setup(): Promise<void> {
  const home = resolve(import.meta.dirname, "../../..");
  // Ignored by git, and dependencies are found from there.
  const folder = join(home, "apps/cli/node_modules/.bundle-integration");
  await promisify(execFile)(process.execPath, [join(home, "scripts/bundle.mjs"), "--command-line", folder]);
  process.env[commandLineVariable] = join(folder, "slipway.mjs");
}
