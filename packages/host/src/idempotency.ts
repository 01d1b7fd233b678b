import { createHash } from "node:crypto";
import { ProblemError } from "@slipway/contracts";
import type { Instant } from "@slipway/kernel";
import { type Db, forgetRows } from "@slipway/sql";
import { type Generated, sql } from "kysely";

export type IdempotencyTables = {
  idempotency: {
    principal: string;
    endpoint: string;
    key: string;
    request_hash: string;
    status: number | null;
    headers: Record<string, string> | null;
    body: string | null;
    locked_until: Instant;
    created_at: Generated<Instant>;
  };
};

export type IdempotencyKey = { readonly principal: string; readonly endpoint: string; readonly key: string };
export type StoredAnswer = { readonly status: number; readonly body: string };

/** Answers are kept this long at least. */
const keepHours = 48;

/**
 * How long a claim holds unless it is kept: less than a caller waits for an answer (10 s), so that who asks again after a process was killed
 * hears the answer and not that somebody is at work.
 */
export const claimMs = 4_000;

/** The answers of one service's mutating calls, in the `idempotency` table of its own schema. */
export type Idempotency = {
  /**
   * Claims the key for this request: `undefined` = go on, `keep` it meanwhile, and then call `finish` or `free`; an answer = repeat
   * it. Throws `idempotency.mismatch` for another request under the key, `idempotency.in_flight` while the first is being handled.
   */
  begin(key: IdempotencyKey, requestHash: string): Promise<StoredAnswer | undefined>;
  /** The claim holds for `claimMs` from now. */
  keep(key: IdempotencyKey): Promise<void>;
  finish(key: IdempotencyKey, answer: StoredAnswer): Promise<void>;
  /** The request changed nothing: the key may be used again. */
  free(key: IdempotencyKey): Promise<void>;
  /** Forgets answers that were kept long enough. */
  sweep(): Promise<void>;
};

export function idempotencyIn<T>(anyDb: Db<T>): Idempotency {
  const db = anyDb as unknown as Db<IdempotencyTables>;
  const mine = ({ principal, endpoint, key }: IdempotencyKey) =>
    sql<boolean>`(principal, endpoint, key) = (${principal}, ${endpoint}, ${key})`;
  const until = sql<Instant>`clock_timestamp() + ${claimMs} * interval '1 millisecond'`;

  return {
    async begin(key, requestHash) {
      // A claim whose holder died is taken over once its time is up; everything else leaves the row as it is.
      const claimed = await db
        .insertInto("idempotency")
        .values({ ...key, request_hash: requestHash, status: null, headers: null, body: null, locked_until: until })
        .onConflict((on) =>
          on
            .columns(["principal", "endpoint", "key"])
            .doUpdateSet({ locked_until: until })
            .where("idempotency.status", "is", null)
            .where("idempotency.request_hash", "=", requestHash)
            .where(sql<boolean>`idempotency.locked_until <= clock_timestamp()`),
        )
        .returning("key")
        .executeTakeFirst();
      if (claimed !== undefined) return undefined;
      const row = await db.selectFrom("idempotency").selectAll().where(mine(key)).executeTakeFirst();
      if (row !== undefined && row.request_hash !== requestHash) throw mismatch(key.key);
      // No row: the first call was refused between our two looks and freed the key.
      if (row === undefined || row.status === null || row.body === null) throw inFlight();
      return { status: row.status, body: row.body };
    },
    async keep(key) {
      await db
        .updateTable("idempotency")
        .set({ locked_until: until })
        .where(mine(key))
        .where("status", "is", null)
        .execute();
    },
    async finish(key, answer) {
      await db
        .updateTable("idempotency")
        .set({ status: answer.status, body: answer.body, headers: null })
        .where(mine(key))
        .where("status", "is", null)
        .execute();
    },
    async free(key) {
      await db.deleteFrom("idempotency").where(mine(key)).where("status", "is", null).execute();
    },
    async sweep() {
      await forgetRows(db, { table: "idempotency", at: "created_at", olderThanMs: keepHours * 3_600_000 });
    },
  };
}

/** SHA-256 over the request with object keys in order, so that the order of fields does not make another request. */
export function requestHash(request: unknown): string {
  return createHash("sha256").update(canonical(request)).digest("hex");
}

function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    ) ?? "undefined"
  );
}

function mismatch(key: string): ProblemError {
  return new ProblemError(
    "idempotency.mismatch",
    `The key ${JSON.stringify(key)} belongs to a request with other content.`,
    {
      remedy: "Use a new Idempotency-Key for a new request.",
    },
  );
}

function inFlight(): ProblemError {
  return new ProblemError("idempotency.in_flight", "The first request with this Idempotency-Key has no answer yet.", {
    remedy: "Ask again in a second with the same key.",
  });
}
