import { type ErrorCode, isErrorCode, nearest, ProblemError } from "@slipway/contracts";
import type { Refusal } from "@slipway/kernel";
import { isReadOnlyError } from "@slipway/sql";
import { z } from "zod";

/** Fastify's own errors, by their code. */
const fastifyCodes: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: ["request.malformed", "The body is not JSON."],
  FST_ERR_CTP_EMPTY_JSON_BODY: ["request.malformed", "The body is empty."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["request.malformed", "The body is shorter or longer than Content-Length says."],
  FST_ERR_CTP_BODY_TOO_LARGE: ["request.too_large", "The body is larger than this endpoint takes."],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["request.unsupported_media_type", "This endpoint takes application/json."],
  FST_ERR_BAD_URL: ["request.invalid", "The path is not a valid URL path."],
  FST_ERR_MAX_PARAM_LENGTH: ["request.invalid", "A part of the path is longer than 512 characters."],
};

/** How an error is answered. What is no error of the catalogue becomes `unavailable` (database away) or `internal`. */
export function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  const known = fastifyCodes[text(error, "code")];
  if (known !== undefined) return new ProblemError(known[0], known[1], { cause: error });
  if (isDatabaseAway(error)) {
    return new ProblemError("unavailable", "The database does not answer; nothing was changed as far as we know", {
      remedy: "Try again in a few seconds; with the same Idempotency-Key nothing is done twice.",
      cause: error,
    });
  }
  if (isReadOnlyError(error)) {
    return new ProblemError("unavailable", "The database takes no writes; nothing was changed.", {
      remedy:
        "Whoever operates Slipway names its primary, or lets it take writes again: /readyz and `slipway doctor --backends` say which. The call may then be repeated with the same Idempotency-Key.",
      cause: error,
    });
  }
  // Two versions run beside each other: a process of the other one answers.
  if (error instanceof Error && error.name === "WrittenByNewer") {
    return new ProblemError("unavailable", `${error.message}.`, {
      remedy:
        "An upgrade is under way: try again in a few seconds. After a way back to an older version it takes the newer one again.",
      cause: error,
    });
  }
  // Postgres' disk_full, and the system's.
  if (["53100", "ENOSPC", "EDQUOT"].includes(text(error, "code"))) {
    return new ProblemError("unavailable", "The platform's disk is full; nothing was changed.", {
      remedy: "Make room on the disk of the data folder. The call may then be repeated with the same Idempotency-Key.",
      cause: error,
    });
  }
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
  if (status >= 400 && status < 500)
    return new ProblemError("request.invalid", "The request is not valid.", { cause: error });
  return new ProblemError("internal", "Something went wrong on our side; the request id leads to it in the logs", {
    cause: error,
  });
}

/** A refusal of the domain as its problem. An unknown code is a bug and answered as `internal`. */
export function refusalProblem(refusal: Refusal): ProblemError {
  if (!isErrorCode(refusal.code)) {
    return new ProblemError("internal", "The request was refused for a reason that has no code", {
      cause: new Error(`no such code in the catalogue: ${refusal.code} (${refusal.detail})`),
    });
  }
  return new ProblemError(refusal.code, refusal.detail, { remedy: refusal.remedy });
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "refusal" && "code" in value;
}

/** Zod's issues as `request.invalid`, each at its JSON pointer under the part it is in: `/body/steps/0/weight`. */
export function invalidRequest(part: string, error: z.core.$ZodError, known: readonly string[] = []): ProblemError {
  const errors = error.issues.flatMap(nearestShape).flatMap((issue) => {
    const at = [part, ...issue.path.map(String)];
    if (issue.code !== "unrecognized_keys") return [{ at: pointer(at), message: issue.message }];
    return issue.keys.map((key) => ({
      at: pointer([...at, key]),
      message: `is not known here${issue.path.length > 0 ? "" : nearest(key, known)}`,
    }));
  });
  return requestProblem(errors);
}

/** What is wrong with a text that a safe parser of JSON refused. */
export function malformedJson(text: string, cause: unknown): ProblemError {
  try {
    JSON.parse(text);
  } catch (error) {
    const where = error instanceof Error ? error.message : String(error);
    return new ProblemError("request.malformed", `The body is not JSON: ${where}.`, { cause: error });
  }
  const detail = "The body has a field called __proto__ or constructor.prototype, which is not taken.";
  return new ProblemError("request.malformed", detail, { cause });
}

/** The names that the top of an object schema knows. */
export function keysOf(schema: unknown): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** Strings that no database can hold, each at its JSON pointer. */
export function unstorableRequest(places: readonly { at: readonly string[]; message: string }[]): ProblemError {
  return requestProblem(places.map(({ at, message }) => ({ at: pointer(at), message })));
}

function requestProblem(errors: readonly { at: string; message: string }[]): ProblemError {
  const [first, ...more] = errors;
  const others = more.length === 0 ? "" : ` (and ${more.length} more, see errors)`;
  const detail = first === undefined ? "The request is not valid." : `${first.at}: ${first.message}${others}`;
  return new ProblemError("request.invalid", detail, { errors });
}

/** Where a value may have several shapes, the complaints of the one it comes nearest to: fewest unknown fields, then fewest complaints. */
function nearestShape(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const distance = (issues: readonly z.core.$ZodIssue[]) =>
    issues.reduce((sum, each) => sum + (each.code === "unrecognized_keys" ? 100 * each.keys.length : 1), 0);
  const [nearest] = [...issue.errors].sort((one, other) => distance(one) - distance(other));
  if (nearest === undefined) return [issue];
  return nearest.flatMap(nearestShape).map((each) => ({ ...each, path: [...issue.path, ...each.path] }));
}

function pointer(path: readonly string[]): string {
  return path.map((step) => `/${step.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Class 08 and 57P0x of Postgres, and what the socket says when nobody is there. */
const awayCodes = /^(08...|57P0.|53300|ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|ETIMEDOUT|ENOTFOUND)$/;
const awayMessages = /timeout exceeded when trying to connect|connection terminated|connection timeout/i;

export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = text(error, "code");
  if (code === "ENOENT" && text(error, "syscall") !== "connect") return false;
  return awayCodes.test(code) || awayMessages.test(error.message);
}

function text(error: unknown, field: string): string {
  if (typeof error !== "object" || error === null) return "";
  const value = (error as Readonly<Record<string, unknown>>)[field];
  return typeof value === "string" ? value : "";
}
