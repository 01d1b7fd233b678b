import type { Connection, Method, RequestOptions } from "./connection.ts";
import { ApiStatus, isStatus, RegionRejected, RegionUnavailable } from "./errors.ts";
import type { PatchOperation } from "./json-patch.ts";

/** What a write came to. `uncertain`: it may have taken hold, only a read can tell. */
export type WriteOutcome =
  | { readonly kind: "written"; readonly object: unknown }
  | { readonly kind: "conflict"; readonly cause: ApiStatus }
  | { readonly kind: "uncertain"; readonly cause: Error };

/** A write whose failure is an answer. Throws RegionRejected only for what no second attempt mends. */
export async function write(
  connection: Connection,
  method: Method,
  path: string,
  options: RequestOptions,
): Promise<WriteOutcome> {
  try {
    return { kind: "written", object: await connection.request(method, path, options) };
  } catch (error) {
    if (error instanceof RegionUnavailable) return { kind: "uncertain", cause: error };
    if (isStatus(error, 404, 409, 422)) return { kind: "conflict", cause: error };
    if (error instanceof ApiStatus && (error.status === 401 || error.status === 429 || error.status >= 500)) {
      return { kind: "uncertain", cause: error };
    }
    throw rejected(connection.region, error);
  }
}

/** An object, or null where there is none. Asks again, a few times, where the region says "not now". */
export async function read(connection: Connection, path: string, options: RequestOptions = {}): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await connection.request("GET", path, options).catch((error: unknown) => new Failure(error));
    if (!(answer instanceof Failure)) return answer;
    const { cause } = answer;
    if (isStatus(cause, 404)) return null;
    if (!isWorthAnotherRead(cause)) throw rejected(connection.region, cause);
    if (attempt === 3) throw asUnavailable(connection.region, cause);
    await pause(Math.min((cause instanceof ApiStatus ? cause.retryAfterMs : null) ?? 20 * attempt, 250));
  }
}

class Failure {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** "Not now", or a connection that broke. A request that waited out its deadline is not repeated here. */
function isWorthAnotherRead(error: unknown): boolean {
  if (error instanceof ApiStatus) return error.status === 401 || error.status === 429 || error.status >= 500;
  return error instanceof RegionUnavailable && !(error.cause instanceof Error && error.cause.name === "TimeoutError");
}

function asUnavailable(region: string, error: unknown): RegionUnavailable {
  if (error instanceof RegionUnavailable) return error;
  return new RegionUnavailable(region, error instanceof Error ? error.message : String(error), { cause: error });
}

function rejected(region: string, error: unknown): Error {
  if (error instanceof ApiStatus) {
    return new RegionRejected(region, `${error.message} (${error.status} ${error.reason})`, {
      status: error.status,
      cause: error,
    });
  }
  return error instanceof Error ? error : new Error(String(error));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One JSON patch; its failed `test` is a conflict. */
export async function patchObject(
  connection: Connection,
  path: string,
  patch: readonly PatchOperation[],
  options: RequestOptions = {},
): Promise<WriteOutcome> {
  return write(connection, "PATCH", path, {
    ...options,
    body: patch,
    contentType: "application/json-patch+json",
    query: { fieldManager: "slipway" },
  });
}
