import { ProblemError } from "@slipway/contracts";
import { CommanderError } from "commander";
import { Unusable } from "./connection.ts";
import { program } from "./program.ts";

/** Exit codes: 0 done, 1 refused or failed, 2 the command line or the connection could not be understood. */
try {
  await program().parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ProblemError) {
    process.stderr.write(`${error.message}\n`);
    for (const { at, message } of error.errors ?? []) process.stderr.write(`  ${at}: ${message}\n`);
    if (error.remedy !== undefined) process.stderr.write(`${error.remedy}\n`);
    process.stderr.write(`(${error.code})\n`);
    return 1;
  }
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof Unusable ? 2 : 1;
}
