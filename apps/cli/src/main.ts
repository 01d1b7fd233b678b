import { say } from "./output.ts";
import { helpFor, ownVersion, program } from "./program.ts";
import { report } from "./report.ts";

const json = process.argv.includes("--json");

// Whoever reads the output may have seen enough: `slipway ... | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

const root = program(json);
try {
  const version = ownVersion(process.argv);
  if (version === undefined) await root.parseAsync(process.argv);
  else say(`${version}\n`);
} catch (error) {
  process.exitCode = report(error, { json, help: helpFor(root, process.argv.slice(2)) });
}
