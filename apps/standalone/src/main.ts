import { enableCompileCache } from "node:module";
import { join } from "node:path";

// Beside the code and with its rights, so that nobody else can put anything into it. Where that cannot be written nothing is kept.
enableCompileCache(join(import.meta.dirname, "compiled"));

/**
 * One program for every process of a laptop's platform: without a role it is the platform itself, which starts the others from this same file.
 */
const [, , first, role, config] = process.argv;

const { isRole, runRole } = await import("./roles/roles.ts");
if (first === "role" && role !== undefined && isRole(role)) {
  await runRole(role, config ?? "{}");
} else {
  const [{ runPlatform }, { whatToSay }] = await Promise.all([import("./platform.ts"), import("./what-to-say.ts")]);
  try {
    process.exitCode = await runPlatform(process.argv.slice(2));
  } catch (error) {
    // What went wrong is for people; where, for the log.
    process.stderr.write(`slipway: ${whatToSay(error)}\n`);
    process.exitCode = 1;
  }
}
