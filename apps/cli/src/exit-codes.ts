import { type ErrorCode, ProblemError } from "@slipway/contracts";

/**
 * How a command ended. `refused`: somebody said no, or what was asked for failed. `usage`: the command line could not be understood.
 * `unreachable`: no platform was found, or it does not answer. `unauthenticated`: no token, or one that is not taken.
 */
export const exitCodes = {
  done: 0,
  refused: 1,
  usage: 2,
  unreachable: 3,
  unauthenticated: 4,
  rolledBack: 5,
  cancelled: 6,
} as const;

export const exitCodesHelp = `
Exit codes: 0 done; 1 refused or failed; 2 the command line could not be understood; 3 no platform answers; 4 no valid token;
with --watch also 5 rolled back, 6 cancelled or superseded.`;

/** Something that ends a command on this side of the wire. */
export class CommandFailure extends Error {
  readonly exitCode: number;
  readonly problem: ErrorCode;
  readonly remedy: string | undefined;

  constructor(exitCode: number, problem: ErrorCode, message: string, remedy?: string) {
    super(message);
    this.exitCode = exitCode;
    this.problem = problem;
    this.remedy = remedy;
  }
}

/** The command cannot be carried out as it was given. */
export class Unusable extends CommandFailure {
  constructor(message: string, remedy?: string) {
    super(exitCodes.usage, "request.invalid", message, remedy);
  }
}

/** No platform was found, or nothing answers there. */
export class Unreachable extends CommandFailure {
  constructor(message: string, remedy?: string) {
    super(exitCodes.unreachable, "unavailable", message, remedy);
  }
}

export class NoToken extends CommandFailure {
  constructor(message: string, remedy?: string) {
    super(exitCodes.unauthenticated, "auth.missing", message, remedy);
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandFailure) return error.exitCode;
  if (!(error instanceof ProblemError)) return exitCodes.refused;
  if (error.status === 401) return exitCodes.unauthenticated;
  return error.code === "unavailable" ? exitCodes.unreachable : exitCodes.refused;
}

/** Exit code of a deployment that has ended. */
export function exitCodeOfStatus(status: string): number {
  if (status === "SUCCEEDED") return exitCodes.done;
  if (status === "ROLLED_BACK") return exitCodes.rolledBack;
  return status === "CANCELLED" || status === "SUPERSEDED" ? exitCodes.cancelled : exitCodes.refused;
}
