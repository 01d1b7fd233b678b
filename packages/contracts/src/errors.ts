import { z } from "zod";
import { usualRemedies } from "./usual-remedies.ts";

/** The closed catalogue of errors. A code never changes its meaning; its HTTP status and title belong to it. */
export const errorCatalogue = {
  "request.invalid": { status: 400, title: "The request is not valid" },
  "request.malformed": { status: 400, title: "The request body could not be read" },
  "request.too_large": { status: 413, title: "The request body is too large" },
  "request.headers_too_large": { status: 431, title: "The request headers are too large" },
  "request.timeout": { status: 408, title: "The request took too long to arrive" },
  "request.unsupported_media_type": { status: 415, title: "The content type is not supported" },
  "auth.missing": { status: 401, title: "A token is required" },
  "auth.invalid": { status: 401, title: "The token is not valid" },
  "auth.forbidden": { status: 403, title: "The token may not do this" },
  "route.not_found": { status: 404, title: "There is no such endpoint" },
  "idempotency.mismatch": { status: 422, title: "The idempotency key was used for another request" },
  "idempotency.in_flight": { status: 409, title: "The same request is still being handled" },
  "precondition.failed": { status: 412, title: "The resource has changed" },
  "webhook.signature_missing": { status: 401, title: "The webhook carries no signature" },
  "webhook.signature_invalid": { status: 401, title: "The webhook's signature does not match" },
  "webhook.repository_unknown": { status: 404, title: "No service is registered for this repository" },
  "webhook.payload_invalid": { status: 400, title: "The webhook's payload could not be understood" },
  "repository.invalid": { status: 422, title: "The repository cannot be used" },
  "build.not_found": { status: 404, title: "There is no such build" },
  "build.finished": { status: 409, title: "The build has already ended" },
  "pipeline.invalid": { status: 422, title: "slipway.yaml has errors" },
  "isolation.unavailable": { status: 503, title: "Build steps cannot be isolated on this machine" },
  "artifact.not_found": { status: 404, title: "There is no such artifact" },
  "artifact.conflict": { status: 409, title: "The artifact is registered with other content" },
  "artifact.marked_bad": { status: 409, title: "The artifact was marked bad" },
  "artifact.not_promoted": { status: 409, title: "The artifact is not promoted to this environment" },
  "artifact.unisolated": { status: 403, title: "The artifact was built without isolation" },
  "image.unusable": { status: 422, title: "The image cannot be taken from there" },
  "import.not_found": { status: 404, title: "There is no such import" },
  "promotion.not_found": { status: 404, title: "There is no such promotion" },
  "promotion.order": { status: 409, title: "Environments are passed in order" },
  "promotion.closed": { status: 409, title: "The promotion is already decided" },
  "promotion.self_approval": { status: 403, title: "Nobody approves their own request" },
  "version.ambiguous": { status: 409, title: "The version names more than one artifact" },
  "version.not_found": { status: 404, title: "There is no such version" },
  "version.banned": { status: 409, title: "The version was rolled back in this environment" },
  "service.not_found": { status: 404, title: "There is no such service" },
  "environment.not_found": { status: 404, title: "There is no such environment" },
  "region.not_found": { status: 404, title: "There is no such region" },
  "region.unavailable": { status: 503, title: "The region does not answer" },
  "strategy.unsupported": { status: 422, title: "The strategy is not available" },
  "plan.invalid": { status: 422, title: "The plan is not valid" },
  "deployment.not_found": { status: 404, title: "There is no such deployment" },
  "deployment.phase": { status: 409, title: "The deployment is not in a phase that allows this" },
  "deployment.step_changed": { status: 409, title: "The deployment is at another step" },
  "deployment.too_soon": { status: 409, title: "The step has only just begun" },
  "deployment.gate_failed": { status: 409, title: "The gate says FAIL" },
  "deployment.no_change": { status: 409, title: "This version already serves everywhere asked" },
  "deployment.unproven": { status: 409, title: "The version is not proven beyond 5%" },
  "deployment.confirmation_required": { status: 409, title: "The first deployment needs a confirmation" },
  "deployment.no_rollback_target": { status: 409, title: "There is no version to roll back to" },
  "deployment.self_approval": { status: 403, title: "Nobody approves their own deployment" },
  "push.not_found": { status: 404, title: "No push is being deployed under this build" },
  "secret.not_found": { status: 404, title: "There is no such secret" },
  "secret.missing": { status: 409, title: "A secret that is asked for is not set" },
  "secret.key_missing": { status: 503, title: "The key of a secret is not there" },
  "secret.unreadable": { status: 500, title: "A secret cannot be decrypted" },
  "change.under_way": { status: 409, title: "Another change is on its way" },
  "restore.required": { status: 409, title: "The database is older than the regions" },
  "restore.nothing": { status: 409, title: "There is no restore to accept" },
  "restore.changed": { status: 409, title: "The regions show something else by now" },
  "watch.not_found": { status: 404, title: "There is no such watch" },
  "watch.stale_epoch": { status: 409, title: "The watch belongs to a newer grant" },
  "watch.ended": { status: 409, title: "The watch has ended" },
  "registry.blob_unknown": { status: 404, title: "The blob is not known" },
  "port.taken": { status: 503, title: "The port is taken" },
  unavailable: { status: 503, title: "The service cannot answer now" },
  internal: { status: 500, title: "Something went wrong on our side" },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

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
