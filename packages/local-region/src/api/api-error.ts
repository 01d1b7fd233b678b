import type { Resource } from "./resources.ts";

export type Cause = { readonly reason: string; readonly message: string; readonly field?: string };

export type Details = {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
};

/** An answer other than 2xx, in the words of the real server (apimachinery, pkg/api/errors). */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: Details | undefined;

  constructor(code: number, reason: string, message: string, details?: Details) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  /** The `Status` object of the answer. */
  body(): object {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

type About = Pick<Resource, "group" | "plural">;

const qualified = ({ group, plural }: About): string => (group === "" ? plural : `${plural}.${group}`);
const detailsOf = ({ group, plural }: About, name: string): Details => ({
  name,
  ...(group === "" ? {} : { group }),
  kind: plural,
});

export function notFound(resource: About, name: string): ApiError {
  return new ApiError(404, "NotFound", `${qualified(resource)} "${name}" not found`, detailsOf(resource, name));
}

/** No resource is served under this path. */
export function noSuchPath(): ApiError {
  return new ApiError(404, "NotFound", "the server could not find the requested resource", {});
}

export function alreadyExists(resource: About, name: string): ApiError {
  const message = `${qualified(resource)} "${name}" already exists`;
  return new ApiError(409, "AlreadyExists", message, detailsOf(resource, name));
}

export function conflict(resource: About, name: string, why: string): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`;
  return new ApiError(409, "Conflict", message, detailsOf(resource, name));
}

export const modified =
  "the object has been modified; please apply your changes to the latest version and try again" as const;

export function invalid(resource: Resource, name: string, causes: readonly Cause[]): ApiError {
  const kind = resource.group === "" ? resource.kind : `${resource.kind}.${resource.group}`;
  const shown = causes.map(({ field, message }) => (field === undefined ? message : `${field}: ${message}`));
  const list = shown.length === 1 ? shown[0] : `[${shown.join(", ")}]`;
  return new ApiError(422, "Invalid", `${kind} "${name}" is invalid: ${list}`, {
    name,
    ...(resource.group === "" ? {} : { group: resource.group }),
    kind: resource.kind,
    causes,
  });
}

/** What a JSON patch that does not apply is answered: the server says no more than this. */
export function patchDidNotApply(): ApiError {
  return new ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {});
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, "BadRequest", message);
}

export function unauthorized(): ApiError {
  return new ApiError(401, "Unauthorized", "Unauthorized");
}

export function forbidden(resource: About, name: string, why: string, causes: readonly Cause[] = []): ApiError {
  const message = `${qualified(resource)} "${name}" is forbidden: ${why}`;
  return new ApiError(403, "Forbidden", message, { ...detailsOf(resource, name), causes });
}

export function methodNotAllowed(): ApiError {
  const message = "the server does not allow this method on the requested resource";
  return new ApiError(405, "MethodNotAllowed", message, {});
}

export function unsupportedMediaType(supported: readonly string[]): ApiError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${supported.join(", ")}`;
  return new ApiError(415, "UnsupportedMediaType", message);
}

export function notAcceptable(): ApiError {
  const message = "only the following media types are accepted: application/json";
  return new ApiError(406, "NotAcceptable", message);
}

export function tooLarge(limitBytes: number): ApiError {
  return new ApiError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${limitBytes}`);
}

/** The watch or list asked for a state that is no longer known. */
export function expired(asked: number, oldest: number): ApiError {
  return new ApiError(410, "Expired", `too old resource version: ${asked} (${oldest})`);
}

export function versionFromTheFuture(asked: number, current: number): ApiError {
  const message = `Too large resource version: ${asked}, current: ${current}`;
  return new ApiError(504, "Timeout", message, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}

export function internal(message: string): ApiError {
  return new ApiError(500, "InternalError", `Internal error occurred: ${message}`, {
    causes: [{ reason: "", message }],
  });
}
