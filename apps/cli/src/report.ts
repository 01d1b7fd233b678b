import { type Problem, ProblemError, problemBody } from "@slipway/contracts";
import { CommanderError } from "commander";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { problemOf } from "./problem-of.ts";

/** How a command was called: what it is answered as, and where it is explained. */
export type Called = { readonly json: boolean; readonly help: string };

/** Says why a command did not do what was asked, and answers its exit code. */
export function report(error: unknown, { json, help }: Called): number {
  if (error instanceof CommanderError) return reportUsage(error, { json, help });
  const problem = problemOf(error, help);
  const exitCode = exitCodeOf(error);
  if (json) process.stdout.write(`${JSON.stringify({ ...problem, exit_code: exitCode }, null, 2)}\n`);
  else process.stderr.write(textOf(problem, error));
  return exitCode;
}

/** Commander has said it to people already; help is no error. */
function reportUsage(error: CommanderError, { json, help }: Called): number {
  if (error.exitCode === 0) return exitCodes.done;
  const detail = error.message.replace(/^error: /, "").replaceAll("\n", " ");
  const said = error.code === "commander.help" ? "A command is needed." : detail;
  const problem = problemBody(new ProblemError("request.invalid", said, { remedy: help }));
  if (json) process.stdout.write(`${JSON.stringify({ ...problem, exit_code: exitCodes.usage }, null, 2)}\n`);
  return exitCodes.usage;
}

function textOf(problem: Problem, error: unknown): string {
  const lines = [problem.detail];
  for (const { at, message } of problem.errors ?? []) {
    if (!problem.detail.includes(message)) lines.push(`  ${at}: ${message}`);
  }
  if (problem.remedy !== undefined) lines.push(problem.remedy);
  if (error instanceof ProblemError) lines.push(`(${problem.code})`);
  return `${lines.join("\n")}\n`;
}
