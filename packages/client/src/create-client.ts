import type { Client } from "./client.ts";
import type { PlatformService } from "./owners.ts";

export type ClientOptions = {
  /** Base URL for every call whose owner is not in `urls`. A function is asked at each call. */
  readonly url: string | (() => string);
  readonly urls?: Readonly<Partial<Record<PlatformService, string>>>;
  /** `slp_…`; a function is asked at each call, so that a token may be renewed. */
  readonly token?: string | (() => string | undefined) | undefined;
  /** Of one call with its retries. Default 10 000. */
  readonly timeoutMs?: number;
  /** Sent as `traceparent` where it answers one. */
  readonly traceparent?: () => string | undefined;
};

/** A client for one platform, over keep-alive connections. Close it when done. */
export function createClient(_options: ClientOptions): Client {
  throw new Error("not built yet");
}
