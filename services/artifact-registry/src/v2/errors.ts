/** Error codes of the distribution specification with the status each is answered with. */
export const ociErrors = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  TAG_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  PAGINATION_NUMBER_INVALID: 400,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
} as const;
export type OciCode = keyof typeof ociErrors;

/** An error that is answered as `{"errors":[{code, message, detail}]}`. */
export class OciProblem extends Error {
  readonly code: OciCode;
  readonly status: number;
  readonly detail: Readonly<Record<string, unknown>> | undefined;
  readonly headers: Readonly<Record<string, string | string[]>>;

  constructor(
    code: OciCode,
    message: string,
    more: {
      status?: number;
      detail?: Record<string, unknown>;
      headers?: Readonly<Record<string, string | string[]>>;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = "OciProblem";
    this.code = code;
    this.status = more.status ?? ociErrors[code];
    this.detail = more.detail;
    this.headers = more.headers ?? {};
  }
}

export function ociBody(problem: OciProblem): string {
  const { code, message, detail } = problem;
  return JSON.stringify({ errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] });
}
