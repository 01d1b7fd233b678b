import { Agent } from "node:http";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { S3Place } from "./s3-place.ts";
import { statusOf, unavailable } from "./s3-problem.ts";

export type Upload = { readonly name: string; readonly id: string };
export type Part = { readonly PartNumber: number; readonly ETag: string | undefined };
export type Page = { readonly found: readonly { name: string; size: number }[]; readonly next: string | undefined };

/** Runs one call; what it throws becomes ObjectsUnavailable, with what was being done. */
type Call = <T>(what: string, work: (client: S3Client) => Promise<T>) => Promise<T>;

/** The calls of S3 that objects need. Each throws ObjectsUnavailable, and answers undefined for an object that is not there. */
export type S3Calls = ReturnType<typeof s3Calls>;

/**
 * `answerWithinMs`: what each of three attempts at a call waits for an answer. One that carries a part has three times as long, as has a body for its
 * next bytes; the end of an upload, at which a store may put the parts together, six times.
 */
export function s3Calls(place: S3Place, answerWithinMs: number) {
  const { bucket, endpoint, region } = place;
  const client = new S3Client({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    maxAttempts: 3,
    requestHandler: {
      ...{ connectionTimeout: Math.min(3_000, answerWithinMs), socketTimeout: 3 * answerWithinMs },
      ...{ requestTimeout: answerWithinMs, throwOnRequestTimeout: true },
    },
  });
  renewSilent(client);
  const call: Call = async (what, work) => {
    try {
      return await work(client);
    } catch (error) {
      throw unavailable(error, place, what);
    }
  };
  const patience = { part: { requestTimeout: 3 * answerWithinMs }, end: { requestTimeout: 6 * answerWithinMs } };
  return { ...wholeObjects(call, bucket, patience), ...uploads(call, bucket, patience) };
}

type Patience = Readonly<Record<"part" | "end", { readonly requestTimeout: number }>>;

/**
 * A connection on which no answer came in time may have gone dead without a word, and the idle ones beside it: the next attempt would meet one of those. They are
 * given up, so that it has a new one.
 */
function renewSilent(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        if (error instanceof Error && error.name === "TimeoutError") giveUpIdle(client);
        throw error;
      }
    },
    { step: "deserialize", name: "renewSilent" },
  );
}

/** Of the library's handler, whose type does not say that it tells of its agents. */
type WithAgents = { httpHandlerConfigs(): { readonly httpAgent?: unknown; readonly httpsAgent?: unknown } };

function giveUpIdle({ config }: S3Client): void {
  const { httpAgent, httpsAgent } = (config.requestHandler as unknown as WithAgents).httpHandlerConfigs();
  for (const agent of [httpAgent, httpsAgent]) {
    if (!(agent instanceof Agent)) continue;
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }
}

type More = { readonly next?: string | undefined; readonly signal?: AbortSignal };

function wholeObjects(call: Call, Bucket: string, { part }: Patience) {
  const page = (Prefix: string, MaxKeys: number, more: More = {}): Promise<Page> =>
    call("listing objects", async (client) => {
      const command = new ListObjectsV2Command({ Bucket, Prefix, MaxKeys, ContinuationToken: more.next });
      const { Contents = [], NextContinuationToken } = await client.send(
        command,
        more.signal === undefined ? {} : { abortSignal: more.signal },
      );
      const found = Contents.map(({ Key = "", Size = 0 }) => ({ name: Key, size: Size }));
      return { found, next: NextContinuationToken };
    });
  return {
    page,
    put: (Key: string, Body: Uint8Array) =>
      call("storing an object", (client) => client.send(new PutObjectCommand({ Bucket, Key, Body }), part)),

    get: (Key: string, from: number): Promise<Readable | undefined> =>
      call("reading an object", async (client) => {
        const range = from === 0 ? {} : { Range: `bytes=${from}-` };
        const answer = client.send(new GetObjectCommand({ Bucket, Key, ...range }));
        return await answer.then(
          ({ Body }) => readable(Body),
          (error: unknown) => nothingThere(error, from),
        );
      }),

    async size(Key: string): Promise<number | undefined> {
      const looked = await call("looking at an object", (client) =>
        client.send(new HeadObjectCommand({ Bucket, Key })).then(
          ({ ContentLength = 0 }) => ({ size: ContentLength, status: 200 }),
          (error: unknown) => {
            const status = statusOf(error) ?? 500;
            if (status < 500) return { size: undefined, status };
            throw error;
          },
        ),
      );
      if (looked.size !== undefined) return looked.size;
      // An answer without a body says not why: a list says whether the bucket is missing or we are refused.
      await page(Key, 1);
      if (looked.status === 404) return undefined;
      return await call("looking at an object", () => Promise.reject(denied(looked.status)));
    },

    delete: (Key: string) =>
      call("deleting an object", (client) => client.send(new DeleteObjectCommand({ Bucket, Key }))),
  };
}

function denied(status: number): Error {
  return Object.assign(new Error(`status ${status}`), { name: status === 403 ? "AccessDenied" : "Refused" });
}

function readable(body: unknown): Readable {
  if (body instanceof Readable) return body;
  throw new Error("the answer has no body");
}

/** Past the end of an object there are no bytes, which is no error. */
function nothingThere(error: unknown, from: number): Readable | undefined {
  if (error instanceof Error && error.name === "NoSuchKey") return undefined;
  if (from > 0 && statusOf(error) === 416) return Readable.from([]);
  throw error;
}

function uploads(call: Call, Bucket: string, patience: Patience) {
  return {
    begin: (Key: string): Promise<Upload> =>
      call("beginning an upload", async (client) => {
        const { UploadId = "" } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
        return { name: Key, id: UploadId };
      }),
    part: ({ name, id }: Upload, PartNumber: number, Body: Uint8Array): Promise<Part> =>
      call("storing a part of an object", async (client) => {
        const command = new UploadPartCommand({ Bucket, Key: name, UploadId: id, PartNumber, Body });
        const { ETag } = await client.send(command, patience.part);
        return { PartNumber, ETag };
      }),
    complete: ({ name, id }: Upload, parts: readonly Part[]) =>
      call("ending an upload", (client) => {
        const MultipartUpload = { Parts: [...parts] };
        const command = new CompleteMultipartUploadCommand({ Bucket, Key: name, UploadId: id, MultipartUpload });
        return client.send(command, patience.end);
      }),
    abort: ({ name, id }: Upload) =>
      call("giving an upload up", (client) =>
        client.send(new AbortMultipartUploadCommand({ Bucket, Key: name, UploadId: id })),
      ),
    /** Begun and neither ended nor given up. */
    unfinished: (Prefix: string) =>
      call("listing uploads", async (client) => {
        const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }));
        return Uploads.map(({ Key = "", UploadId = "", Initiated }) => ({
          ...{ name: Key, id: UploadId },
          begun: Initiated?.getTime() ?? Number.POSITIVE_INFINITY,
        }));
      }),
  };
}
