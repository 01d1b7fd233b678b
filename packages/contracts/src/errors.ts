import { z } from "zod";
import { type ErrorCode, errorCatalogue } from "./error-catalogue.ts";
import { usualRemedies } from "./usual-remedies.ts";

export { type ErrorCode, errorCatalogue } from "./error-catalogue.ts";

/** RFC 9457 problem details with a code of the catalogue and, where it helps, what to do. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.enum(Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]]),
  detail: z.string(),
  remedy: z.string().optional(),
  instance: z.string().optional(),
  /** Errors by place, e.g. a JSON pointer or `slipway.yaml:3:5`. */
  errors: z.array(z.object({ at: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof Problem>;

export type ProblemOptions = {
  readonly remedy?: string | undefined;
  readonly errors?: readonly { readonly at: string; readonly message: string }[] | undefined;
  readonly cause?: unknown;
};

/** An error that is answered as the problem it names. Thrown at the edges only; domain code returns a Refusal. */
export class ProblemError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string | undefined;
  readonly errors: ProblemOptions["errors"];

  constructor(code: ErrorCode, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause });
    this.name = "ProblemError";
    this.code = code;
    this.remedy = options.remedy;
    this.errors = options.errors;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

/** The response body for an error of the catalogue. */
export function problemBody(error: ProblemError, instance?: string): Problem {
  const { status, title } = errorCatalogue[error.code];
  const remedy = error.remedy ?? usualRemedies[error.code];
  return {
    type: `https://slipway.dev/problems/${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    ...(remedy === undefined ? {} : { remedy }),
    ...(instance === undefined ? {} : { instance }),
    ...(error.errors === undefined ? {} : { errors: [...error.errors] }),
  };
}
