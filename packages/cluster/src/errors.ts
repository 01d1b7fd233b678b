/** The region did not answer, or answered that it cannot now. What was asked may or may not have taken hold. */
export class RegionUnavailable extends Error {
  readonly region: string;

  constructor(region: string, detail: string, options: { readonly cause?: unknown } = {}) {
    super(`region ${region}: ${detail}`, { cause: options.cause });
    this.name = "RegionUnavailable";
    this.region = region;
  }
}

/** What a kubeconfig says cannot be used, so that nothing was sent. Tried again all the same: the file is read anew. */
export class KubeconfigBroken extends RegionUnavailable {
  readonly what: string;
  readonly remedy: string;

  constructor(region: string, what: string, remedy: string) {
    super(region, `${what}: ${remedy}`);
    this.name = "KubeconfigBroken";
    this.what = what;
    this.remedy = remedy;
  }
}

/** The region answered, and no retry of the same call mends it: a person has to look. */
export class RegionRejected extends Error {
  readonly region: string;
  /** HTTP status of the answer; 0 where the refusal is ours. */
  readonly status: number;

  constructor(region: string, detail: string, options: { readonly status?: number; readonly cause?: unknown } = {}) {
    super(`region ${region}: ${detail}`, { cause: options.cause });
    this.name = "RegionRejected";
    this.region = region;
    this.status = options.status ?? 0;
  }
}

/** An answer of the Kubernetes API other than 2xx: its `Status` object. */
export class ApiStatus extends Error {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | null;

  constructor(status: number, reason: string, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.name = "ApiStatus";
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export function isStatus(error: unknown, ...statuses: readonly number[]): error is ApiStatus {
  return error instanceof ApiStatus && statuses.includes(error.status);
}
