import { type ErrorCode, type Problem, ProblemError, problemBody, usualRemedies } from "@slipway/contracts";
import { lastConnection } from "./connection.ts";
import { CommandFailure } from "./exit-codes.ts";

/** What is wrong, for whoever has typed a command. `help`: where that command is explained. */
export function problemOf(error: unknown, help: string): Problem {
  if (error instanceof ProblemError) {
    const remedy =
      [remedyFor(error, help), knownHere(error)].filter((line) => line !== undefined).join("\n") || undefined;
    return problemBody(new ProblemError(error.code, error.message, { remedy, errors: error.errors }));
  }
  if (error instanceof CommandFailure) {
    // The usual remedy names the API, of which whoever typed this has not spoken.
    const remedy = error.remedy ?? (error.problem === "request.invalid" ? help : undefined);
    return problemBody(new ProblemError(error.problem, error.message, { remedy }));
  }
  return problemBody(new ProblemError("internal", error instanceof Error ? error.message : String(error)));
}

/** In place of the usual remedies, which name the API to whoever has typed a command. */
const inCommands: Partial<Record<ErrorCode, string>> = {
  "artifact.not_found": "slipway artifacts list shows them.",
  "promotion.not_found": "slipway promotions list ARTIFACT shows those of an artifact.",
  "deployment.not_found": "slipway status SERVICE shows the newest of a service; slipway services shows the services.",
  "deployment.phase": "slipway status says what it waits for now.",
};

function remedyFor({ code, remedy }: ProblemError, help: string): string | undefined {
  if (remedy !== undefined && remedy !== usualRemedies[code]) return remedy;
  return code === "request.invalid" ? help : (inCommands[code] ?? remedy);
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
