import type { BuildId } from "@slipway/kernel";
import { logLines } from "@slipway/secrets";
import type { Db, Tx } from "@slipway/sql";
import { sql } from "kysely";
import type { BuildTables } from "./tables.ts";

/** The notification channel on which a growing log is announced; its payload is the build's id. */
export const logChannel = "build_log";

/** Chunks are read in portions of about this many. */
const chunksPerRead = 64;
/** With so many bytes unwritten the step has to wait. */
const mostUnwritten = 256 * 1_024;

export type LogChunk = { readonly at: number; readonly bytes: Buffer };

/** How much of what a run printed is in the log. */
export type Taken = { readonly run: string; readonly bytes: number };

/**
 * Appends text at the log's end, durably, and wakes its readers. Concurrent writers take turns by the row's lock. `taken`: up to where a step's output
 * is in the log with it.
 */
export async function appendLog(
  db: Db<BuildTables> | Tx<BuildTables>,
  buildId: BuildId,
  text: string,
  taken?: Taken,
): Promise<void> {
  if (text === "") return;
  const bytes = Buffer.from(text);
  await sql`
    with grown as (
      insert into build_log (build_id, length) values (${buildId}, ${bytes.length})
      on conflict (build_id) do update set length = build_log.length + excluded.length
      returning length
    ), chunk as (
      insert into build_log_chunk (build_id, at, bytes)
      select ${buildId}, grown.length - ${bytes.length}::int, ${bytes} from grown
    )${taken === undefined ? sql`` : noted(buildId, taken)}
    select pg_notify(${logChannel}, ${buildId})
  `.execute(db);
}

function noted(buildId: BuildId, { run, bytes }: Taken) {
  return sql`, noted as (
      insert into build_step_output (build_id, run, taken) values (${buildId}, ${run}, ${bytes})
      on conflict (build_id, run) do update set taken = greatest(build_step_output.taken, excluded.taken)
    )`;
}

/** Where the next reader of a run's output begins. */
export async function outputTaken(db: Db<BuildTables>, buildId: BuildId, run: string): Promise<Taken> {
  const found = await db
    .selectFrom("build_step_output")
    .select("taken")
    .where("build_id", "=", buildId)
    .where("run", "=", run)
    .executeTakeFirst();
  return { run, bytes: found?.taken ?? 0 };
}

export async function forgetOutput(db: Db<BuildTables>, buildId: BuildId): Promise<void> {
  await db.deleteFrom("build_step_output").where("build_id", "=", buildId).execute();
}

/** Wakes the readers of a log although nothing was added: the build has ended. */
export async function announceLog(db: Db<BuildTables>, buildId: BuildId): Promise<void> {
  await sql`select pg_notify(${logChannel}, ${buildId})`.execute(db);
}

/** How a log goes on from an offset: with these chunks (none at its end; the first is cut at the offset), or with an object that has what is below `to`. */
export type LogPart =
  | { readonly kind: "chunks"; readonly chunks: readonly LogChunk[] }
  | { readonly kind: "object"; readonly key: string; readonly to: number };

/** By one statement, and so from one moment: the log may move, or be forgotten, between two of them. */
export async function readPart(db: Db<BuildTables>, buildId: BuildId, from: number): Promise<LogPart> {
  const { rows } = await sql<{ object: string | null; moved: number; at: number | null; bytes: Buffer | null }>`
    with log as (
      select build_id, object, case when object_length <= length then object_length else 0 end as moved
      from build_log where build_id = ${buildId}
    )
    select log.object, log.moved, part.at, part.bytes from log left join lateral (
      select at, bytes from build_log_chunk
      where build_id = log.build_id and at >= greatest(log.moved, (
        select max(at) from build_log_chunk where build_id = log.build_id and at between log.moved and ${from}
      ))
      order by at limit ${chunksPerRead}
    ) part on log.moved <= ${from}
    order by part.at`.execute(db);
  const [first] = rows;
  if (first !== undefined && first.object !== null && first.moved > from)
    return { kind: "object", key: first.object, to: first.moved };
  const chunks = rows.flatMap(({ at, bytes }) => {
    if (at === null || bytes === null) return [];
    return at >= from ? [{ at, bytes }] : [{ at: from, bytes: bytes.subarray(from - at) }];
  });
  return { kind: "chunks", chunks: chunks.filter(({ bytes }) => bytes.length > 0) };
}

export async function logLength(db: Db<BuildTables>, buildId: BuildId): Promise<number> {
  const row = await db.selectFrom("build_log").select("length").where("build_id", "=", buildId).executeTakeFirst();
  return row?.length ?? 0;
}

export type StepLog = {
  /** Takes what a step printed. Resolves at once unless the database is behind. */
  write(chunk: Uint8Array): Promise<void>;
  /** Resolves when everything is stored; throws when something could not be. */
  end(): Promise<void>;
};

export type StepLogOptions = {
  readonly prefix: string;
  readonly secrets: readonly string[];
  /** The run whose output this is and where it begins in it, where it may have to be read on by somebody else. */
  readonly from?: Taken | undefined;
};

/**
 * The byte behind the last whole line. What is in the log of a line that is not whole yet (a very long one is cut) comes again when somebody reads on
 * there, and no line is lost.
 */
function lineEnds({ run, bytes }: Taken): { push(chunk: Uint8Array): void; last(): Taken } {
  let at = bytes;
  let last = bytes;
  return {
    push(chunk) {
      const end = Math.max(chunk.lastIndexOf(10), chunk.lastIndexOf(13));
      if (end >= 0) last = at + end + 1;
      at += chunk.byteLength;
    },
    last: () => ({ run, bytes: last }),
  };
}

/**
 * Writes one step's output: the first line at once, and what comes while a write is under way with the next one. So a quiet
 * step is seen within milliseconds and a loud one costs few writes.
 */
export function stepLog(db: Db<BuildTables>, buildId: BuildId, { prefix, secrets, from }: StepLogOptions): StepLog {
  const lines = logLines(prefix, secrets);
  const ends = from === undefined ? undefined : lineEnds(from);
  let unwritten = "";
  let writing: Promise<void> | undefined;
  let failure: unknown;
  const flush = async (): Promise<void> => {
    while (unwritten !== "" && failure === undefined) {
      const text = unwritten;
      unwritten = "";
      const taken = ends?.last();
      try {
        await appendLog(db, buildId, text, taken);
      } catch (error) {
        failure = error;
      }
    }
    writing = undefined;
  };
  const add = (text: string): void => {
    unwritten += text;
    if (unwritten !== "") writing ??= flush();
  };
  return {
    write: async (chunk) => {
      ends?.push(chunk);
      add(lines.push(chunk));
      if (unwritten.length > mostUnwritten) await writing;
      if (failure !== undefined) throw failure;
    },
    end: async () => {
      add(lines.end());
      await writing;
      if (failure !== undefined) throw failure;
    },
  };
}
