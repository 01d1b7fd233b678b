import { type Problem, ProblemError, problemBody } from "@slipway/contracts";
import { CommanderError } from "commander";
import { lastConnection } from "./connection.ts";
import { CommandFailure, exitCodeOf, exitCodes } from "./exit-codes.ts";

/** Says why a command did not do what was asked, and answers its exit code. */
export function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) return reportUsage(error, json);
  const problem = problemOf(error);
  const exitCode = exitCodeOf(error);
  if (json) process.stdout.write(`${JSON.stringify({ ...problem, exit_code: exitCode }, null, 2)}\n`);
  else process.stderr.write(textOf(problem, error));
  return exitCode;
}

/** Commander has said it to people already; help is no error. */
function reportUsage(error: CommanderError, json: boolean): number {
  if (error.exitCode === 0) return exitCodes.done;
  const detail = error.message.replace(/^error: /, "").replaceAll("\n", " ");
  const said = error.code === "commander.help" ? "A command is needed: slipway --help lists them." : detail;
  const problem = problemBody(new ProblemError("request.invalid", said));
  if (json) process.stdout.write(`${JSON.stringify({ ...problem, exit_code: exitCodes.usage }, null, 2)}\n`);
  return exitCodes.usage;
}

const typedWrong = "With --help after it a command says what it takes.";

function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) {
    const remedy = [error.remedy, knownHere(error)].filter((line) => line !== undefined).join("\n") || undefined;
    return problemBody(new ProblemError(error.code, error.message, { remedy, errors: error.errors }));
  }
  if (error instanceof CommandFailure) {
    // The usual remedy names the API, of which whoever typed this has not spoken.
    const remedy = error.remedy ?? (error.problem === "request.invalid" ? typedWrong : undefined);
    return problemBody(new ProblemError(error.problem, error.message, { remedy }));
  }
  return problemBody(new ProblemError("internal", error instanceof Error ? error.message : String(error)));
}

/** What only this side knows of the connection; the server's advice cannot name it. */
function knownHere(error: ProblemError): string | undefined {
  const connection = lastConnection();
  if (connection === undefined) return undefined;
  const { url, tokenFrom, role } = connection;
  if (error.status === 401) return `The token came from ${tokenFrom}; --token, SLIPWAY_TOKEN or --as name another.`;
  if (error.code === "auth.forbidden" && role !== undefined) {
    return `You are calling as ${role}, with the token of the local platform: --as approver (or viewer, deployer, admin) calls as another.`;
  }
  const foreign = error.code === "route.not_found" || /was answered with (something|\d{3})/.test(error.message);
  return foreign ? `Is ${url} a Slipway platform, and of this version?` : undefined;
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
