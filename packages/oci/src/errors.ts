/**
 * `unauthorised`, `forbidden`, `not_found`, `refused` (the registry says no: asking again will not help), `unavailable`
 * (it did not answer in time), `untrusted` (its certificate is not believed; the message says what to do), `digest_mismatch` (the bytes are not the ones asked for), `unsafe` (an archive that tries
 * to leave its folder), `too_large`, `invalid` (not an image this code can read).
 */
export type OciErrorKind =
  | "unauthorised"
  | "forbidden"
  | "not_found"
  | "refused"
  | "unavailable"
  | "untrusted"
  | "digest_mismatch"
  | "unsafe"
  | "too_large"
  | "invalid";

export class OciError extends Error {
  readonly kind: OciErrorKind;
  /** HTTP status where a registry answered. */
  readonly status: number | undefined;
  /** The registry's own error code, e.g. MANIFEST_UNKNOWN. */
  readonly code: string | undefined;

  constructor(kind: OciErrorKind, message: string, more: { status?: number; code?: string; cause?: unknown } = {}) {
    super(message, { cause: more.cause });
    this.name = "OciError";
    this.kind = kind;
    this.status = more.status;
    this.code = more.code;
  }
}
