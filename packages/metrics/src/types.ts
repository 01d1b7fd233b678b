import type { EnvironmentName, ServiceName, VersionName } from "@slipway/kernel";

/** `counts[i]` = observations of at most `le[i]` milliseconds, cumulative; the last bound is Infinity. */
export type Histogram = { readonly le: readonly number[]; readonly counts: readonly number[] };

/** Totals of one host (a pod) since its source started. `errors` are answers of 500 and above. */
export type HostReading = {
  readonly requests: number;
  readonly errors: number;
  readonly latency: Histogram;
  /** Changes when this host's own counters started again from nothing; absent where the reading's epoch says it for all, or nobody knows. */
  readonly epoch?: string;
  /** The host is a caller, which answered these itself since it reached no pod of the version. */
  readonly unreached?: true;
};

export type VersionReading = { readonly hosts: Readonly<Record<string, HostReading>> };

/** Raw cumulative counters of one service in one region at one moment. */
export type Reading = {
  /** Changes when the source's counters started again from nothing. */
  readonly processEpoch: string;
  /** Each version asked for is present, with no hosts where nothing was counted. */
  readonly versions: Readonly<Record<string, VersionReading>>;
  /** Percent by version that is served now; null where the source cannot say. */
  readonly servedWeight: Readonly<Record<string, number>> | null;
};

/** What was counted between two readings. */
export type ReadingDelta = {
  readonly versions: Readonly<Record<string, VersionReading>>;
  /** True when counters began anew in between, so that some requests may be missing here. */
  readonly reset: boolean;
};

export type ReadRequest = {
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  readonly versions: readonly VersionName[];
};

/** Where the counters of one region come from. `read` throws MetricsUnreadable when it cannot say, never zeros. */
export interface MetricsSource {
  read(request: ReadRequest): Promise<Reading>;
}

export class MetricsUnreadable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "MetricsUnreadable";
  }
}
