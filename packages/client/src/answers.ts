import { type ErrorCode, Problem, ProblemError, unknownFields } from "@slipway/contracts";
import type { z } from "zod";

export type Answer = {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | string[] | undefined;
};

/** What an answer that is no problem document of ours most likely means. */
const byStatus: Readonly<Record<number, ErrorCode>> = {
  400: "request.invalid",
  401: "auth.invalid",
  403: "auth.forbidden",
  404: "route.not_found",
  412: "precondition.failed",
  413: "request.too_large",
  415: "request.unsupported_media_type",
};

/** The problem that an answer outside 2xx carries. Answers of proxies and newer servers become the nearest code. */
export function problemOf(answer: Answer, what: string): ProblemError {
  const body = parseJson(answer.text);
  const known = Problem.safeParse(body);
  if (known.success) {
    return new ProblemError(known.data.code, known.data.detail, {
      remedy: known.data.remedy,
      errors: known.data.errors,
    });
  }
  const said = typeof body === "object" && body !== null && "detail" in body ? String(body.detail) : undefined;
  const code = byStatus[answer.status] ?? (answer.status >= 500 ? "unavailable" : "internal");
  return new ProblemError(code, said ?? `${what} was answered with ${answer.status}`);
}

/**
 * The typed response, or ProblemError `internal` when the answer is not what the contract says; `unavailable` where it says more than a strict contract
 * knows: what is written with fields of a newer version is not to be acted upon without them.
 */
export function readAnswer<R extends z.ZodType>(schema: R, answer: Answer, what: string): z.output<R> {
  const parsed = schema.safeParse(parseJson(answer.text));
  if (parsed.success) return parsed.data;
  const unknown = unknownFields(parsed.error);
  if (unknown !== undefined)
    throw new ProblemError(
      "unavailable",
      `${what} was answered with what a newer version knows: ${unknown.join(", ")}.`,
      {
        remedy: "An upgrade is under way: it goes on with a process of the newer version.",
        cause: parsed.error,
      },
    );
  throw new ProblemError("internal", `${what} was answered with something the contract does not allow`, {
    cause: parsed.error,
  });
}

function parseJson(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
