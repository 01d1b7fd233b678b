import { ProblemError } from "@slipway/contracts";
import { type BuildId, within } from "@slipway/kernel";
import { type Objects, ObjectsUnavailable } from "@slipway/objects";
import type { Db } from "@slipway/sql";
import { unpacked } from "./log-object.ts";
import { type LogPart, readPart } from "./log-store.ts";
import type { BuildTables } from "./tables.ts";

/** Whoever asks is told by then that the store does not answer, before they stop waiting: clients of streams do after 10 s. */
const beginsWithinMs = 8_000;

export type LogPlaces = { readonly db: Db<BuildTables>; readonly objects: Objects };

/**
 * What there is of a log from an offset on, in order, wherever it is: it may move while it is read. Pieces begin and end with a line, but for the first.
 * Throws ProblemError `unavailable` where the object store is away, `build.log_missing` where it does not have what the database says.
 */
export async function* readLog(places: LogPlaces, buildId: BuildId, from: number): AsyncGenerator<Buffer> {
  for (let at = from; ; ) {
    const part = await readPart(places.db, buildId, at);
    if (part.kind === "chunks" && part.chunks.length === 0) return;
    const pieces =
      part.kind === "chunks" ? part.chunks.map(({ bytes }) => bytes) : readObject(places, buildId, part, at);
    for await (const piece of pieces) {
      at += piece.length;
      yield piece;
    }
  }
}

type InObject = Extract<LogPart, { kind: "object" }>;

/** Nothing where the log was forgotten since the database was asked. */
async function* readObject(
  places: LogPlaces,
  buildId: BuildId,
  { key, to }: InObject,
  from: number,
): AsyncGenerator<Buffer> {
  const object = await stored(places, buildId, soon(places.objects.get(key)));
  if (object === undefined) {
    // A folder that is no folder has no objects, either.
    const problem = await places.objects.problem();
    if (problem !== undefined) throw away(buildId, problem);
    const now = await readPart(places.db, buildId, from);
    if (now.kind === "object" && now.key === key) throw missing(buildId, `there is no object ${key}`);
    return;
  }
  const pieces = unpacked(object, from);
  let at = from;
  try {
    for (;;) {
      const piece = await stored(places, buildId, pieces.next());
      if (piece.done === true) break;
      at += piece.value.length;
      yield piece.value;
    }
  } finally {
    await pieces.return(undefined);
  }
  if (at < to) throw missing(buildId, `the object ${key} ends before the log does`);
}

type Body = AsyncIterable<Uint8Array> | undefined;

function soon(object: Promise<Body>): Promise<Body> {
  return within(beginsWithinMs, object, () => {
    void object.then(letGo).catch(() => undefined);
    throw new ObjectsUnavailable(`it has not answered for ${beginsWithinMs / 1_000} s`);
  });
}

/** A stream that nobody begins to read is not ended by anybody. */
async function letGo(body: Body): Promise<void> {
  for await (const _ of body ?? []) return;
}

/** What the store throws, as the problem that it is for whoever wants to read. */
async function stored<T>({ objects }: LogPlaces, buildId: BuildId, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (/^Z_/.test(codeOf(error))) throw missing(buildId, "its object is not what was put there", error);
    if (error instanceof ObjectsUnavailable) throw away(buildId, error.message, error);
    throw away(buildId, (await objects.problem()) ?? String(error), error);
  }
}

function away(buildId: BuildId, why: string, cause?: unknown): ProblemError {
  return new ProblemError(
    "unavailable",
    `The log of ${buildId} is in the object store, and cannot be read now: ${why}.`,
    {
      remedy: "Read it again once the object store is back. Logs of builds that ended lately do not need it.",
      cause,
    },
  );
}

function missing(buildId: BuildId, why: string, cause?: unknown): ProblemError {
  return new ProblemError(
    "build.log_missing",
    `The log of ${buildId} was moved into the object store, and is not there: ${why}.`,
    {
      remedy:
        "Let SLIPWAY_OBJECTS_URL of the build-service name the store that it was moved into, or put back a copy of the bucket that is as new as that of the database.",
      cause,
    },
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
