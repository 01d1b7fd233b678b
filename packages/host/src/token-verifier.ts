import { timingSafeEqual } from "node:crypto";
import { ProblemError, type Role } from "@slipway/contracts";
import { type Clock, within } from "@slipway/kernel";
import type { Db, Logger } from "@slipway/sql";
import type { Principal } from "./app.ts";
import { type AccessTables, findToken, type TokenRow } from "./token-rows.ts";
import { parseToken } from "./tokens.ts";

export type TokenVerifier = {
  /** Throws ProblemError `auth.invalid`, or `unavailable` when nothing is known of the token and the database is away. */
  verify(token: string): Promise<Principal>;
};

export type TokenVerifierOptions = {
  readonly find: (kid: string) => Promise<TokenRow | undefined>;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Logger;
  /** How long an answer of the database stands. Default 30 s. */
  readonly freshMs?: number;
  /** How long it stands while the database is away. Default 24 h. */
  readonly staleMs?: number;
  /** Of one look at the database. Default 1.5 s. */
  readonly lookMs?: number;
};

/** `at` and all times here are monotonic: what the clock of this process says of the date plays no part. */
type Known = { readonly row: TokenRow | undefined; readonly at: number };

/** More different kids than this at a time are an attack: the cache starts again. */
const maxKnown = 10_000;
/** After a failed look the database counts as away for this long, so that not every request waits for it. */
const awayMs = 2_000;

/** Checks tokens against `access.token` with a cache that outlives the database. */
export function tokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { freshMs = 30_000, staleMs = 86_400_000, lookMs = 1_500, clock, log } = options;
  const known = new Map<string, Known>();
  const looking = new Map<string, Promise<Known>>();
  let awayUntil = Number.NEGATIVE_INFINITY;

  function look(kid: string): Promise<Known> {
    const running = looking.get(kid);
    if (running !== undefined) return running;
    const started = withDeadline(options.find(kid), lookMs)
      .then((row) => {
        if (known.size >= maxKnown) known.clear();
        const found = { row, at: clock.monotonicMs() };
        known.set(kid, found);
        return found;
      })
      .finally(() => looking.delete(kid));
    looking.set(kid, started);
    return started;
  }

  /** The last answer where the database has none now; undefined when nothing usable is known. */
  function remembered(kid: string): Known | undefined {
    const had = known.get(kid);
    return had?.row !== undefined && clock.monotonicMs() - had.at < staleMs ? had : undefined;
  }

  async function knownOf(kid: string): Promise<Known> {
    const had = known.get(kid);
    if (had !== undefined && clock.monotonicMs() - had.at < freshMs) return had;
    const old = remembered(kid);
    if (old !== undefined && clock.monotonicMs() < awayUntil) return old;
    try {
      return await look(kid);
    } catch (error) {
      awayUntil = clock.monotonicMs() + awayMs;
      if (old === undefined) throw notCheckable(error);
      log.warn({ err: error, kid }, "token checked from memory: the database does not answer");
      return old;
    }
  }

  return {
    async verify(token) {
      const parsed = parseToken(token);
      if (parsed === undefined) throw invalid("it is not a whole Slipway token (slp_…)");
      const { row, at } = await knownOf(parsed.kid);
      if (row === undefined || !timingSafeEqual(row.hash, parsed.hash)) throw invalid("it is not known");
      if (row.revoked_at !== null) throw invalid("it was revoked");
      if (row.expires_in_ms !== null && clock.monotonicMs() - at >= row.expires_in_ms) throw invalid("it has expired");
      return { name: row.name, roles: row.roles as readonly Role[] };
    },
  };
}

/** Looks tokens up through a service's own role, which may read `access.token`. */
export function findTokenIn<T>(db: Db<T>): TokenVerifierOptions["find"] {
  const access = db as unknown as Db<AccessTables>;
  return (kid) => findToken(access, kid);
}

function invalid(why: string): ProblemError {
  return new ProblemError("auth.invalid", `The token was not accepted: ${why}.`);
}

function notCheckable(cause: unknown): ProblemError {
  return new ProblemError("unavailable", "the token cannot be checked: the database does not answer", { cause });
}

async function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  return within(ms, work, () => {
    throw new Error(`no answer within ${ms} ms`);
  });
}
