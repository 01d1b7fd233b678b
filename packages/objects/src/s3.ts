import { setTimeout as pause } from "node:timers/promises";
import { keySegments, prefixSegments } from "./key.ts";
import type { ObjectInfo, Objects } from "./port.ts";
import type { Part, S3Calls } from "./s3-client.ts";
import { s3Place } from "./s3-place.ts";
import { ObjectsUnavailable, unavailable } from "./s3-problem.ts";

export type S3ObjectsOptions = {
  /** `s3://bucket/prefix?endpoint=https://host:port&region=…`. Credentials come from where the AWS client looks: environment, file, role. */
  readonly url: string;
  /** An upload that was begun so long ago was left by a process that was killed. Default a day. */
  readonly abandonedAfterMs?: number;
  /** What one of three attempts at a call waits for its answer; bytes have three times as long. Default 5,000: who pushes waits for a minute at most. */
  readonly answerWithinMs?: number;
};

/** As in files: a store over a file system (and MinIO) cannot hold `a` beside `a/b`, and none minds this character. */
const suffix = "~";
/** S3 takes no smaller part but the last. Twice of this is held in memory for each upload. */
const partBytes = 8 * 1_048_576;
const dayMs = 24 * 3_600_000;
const abortMs = 1_000;
/** Whoever asks for the readiness of a service waits for two seconds. */
const problemMs = 1_500;

/** Objects in a bucket of S3 or of a store that speaks its protocol. Larger bodies go up in parts and are there when the last one is. */
export function s3Objects({ url, abandonedAfterMs = dayMs, answerWithinMs = 5_000 }: S3ObjectsOptions): Objects {
  const place = s3Place(url);
  let opened: Promise<S3Calls> | undefined;
  // The client's 26 MB are for those who use it.
  const calls = () => (opened ??= import("./s3-client.ts").then(({ s3Calls }) => s3Calls(place, answerWithinMs)));
  const nameOf = (key: string) => `${place.prefix}${keySegments(key).join("/")}${suffix}`;
  let swept: Promise<void> | undefined;

  return {
    async put(key, body) {
      const name = nameOf(key);
      const s3 = await calls();
      swept ??= abortAbandoned(s3, place.prefix, Date.now() - abandonedAfterMs);
      await swept;
      return { size: await store(s3, name, inParts(body)) };
    },

    async get(key, { from = 0 } = {}) {
      const name = nameOf(key);
      const body = await (await calls()).get(name, from);
      return body === undefined ? undefined : readAll(body, (error) => unavailable(error, place, "reading an object"));
    },

    async stat(key) {
      const name = nameOf(key);
      const size = await (await calls()).size(name);
      return size === undefined ? undefined : { key, size };
    },

    async delete(key) {
      const name = nameOf(key);
      await (await calls()).delete(name);
    },

    async list(prefix) {
      // Only for what it refuses.
      prefixSegments(prefix);
      const s3 = await calls();
      const found: ObjectInfo[] = [];
      let next: string | undefined;
      do {
        const page = await s3.page(`${place.prefix}${prefix}`, 1_000, { next });
        for (const { name, size } of page.found) {
          const key = name.slice(place.prefix.length, -suffix.length);
          if (name.endsWith(suffix)) found.push({ key, size });
        }
        next = page.next;
      } while (next !== undefined);
      // Theirs is the order of names, with the suffix.
      return found.sort((a, b) => (a.key < b.key ? -1 : 1));
    },

    async problem() {
      try {
        await (await calls()).page(place.prefix, 1, { signal: AbortSignal.timeout(problemMs) });
        return undefined;
      } catch (error) {
        return error instanceof ObjectsUnavailable ? error.message : String(error);
      }
    },
  };
}

/** One call for what fits in a part. Else part by part, and nothing to be seen until the last call, or ever where something fails. */
async function store(s3: S3Calls, name: string, pieces: AsyncGenerator<Uint8Array>): Promise<number> {
  const first = await pieces.next();
  const second = first.done === true ? first : await pieces.next();
  if (second.done === true) {
    const body = first.done === true ? new Uint8Array() : first.value;
    await s3.put(name, body);
    return body.byteLength;
  }
  const upload = await s3.begin(name);
  try {
    const parts: Part[] = [];
    let size = 0;
    const add = async (piece: Uint8Array) => {
      parts.push(await s3.part(upload, parts.length + 1, piece));
      size += piece.byteLength;
    };
    await add(first.value as Uint8Array);
    await add(second.value);
    for await (const piece of pieces) await add(piece);
    await s3.complete(upload, parts);
    return size;
  } catch (error) {
    await pieces.return(undefined);
    // Whoever stores waits for no store that does not answer: what stays is found by `abortAbandoned`.
    await Promise.race([s3.abort(upload).catch(() => undefined), pause(abortMs, undefined, { ref: false })]);
    throw error;
  }
}

/** The body in pieces of one part's size, the last one smaller. */
async function* inParts(body: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    for (let rest = chunk; rest.byteLength > 0; ) {
      const taken = rest.subarray(0, partBytes - bytes);
      // Whoever gives us chunks may use their memory again.
      held.push(Uint8Array.from(taken));
      bytes += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (bytes < partBytes) continue;
      yield Buffer.concat(held);
      held = [];
      bytes = 0;
    }
  }
  if (bytes > 0) yield Buffer.concat(held);
}

async function* readAll(
  body: AsyncIterable<Uint8Array>,
  wrapped: (error: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw wrapped(error);
  }
}

/** Their parts take room that nobody sees. A store that does not say what was begun is left as it is. */
async function abortAbandoned(s3: S3Calls, prefix: string, before: number): Promise<void> {
  const uploads = await s3.unfinished(prefix).catch(() => []);
  for (const upload of uploads) if (upload.begun <= before) await s3.abort(upload).catch(() => undefined);
}
