import { OciError } from "./errors.ts";
import { type Answer, type Call, type Deadline, readSmall, type Transport } from "./transport.ts";
import type { BlobSource } from "./types.ts";

type Upload = {
  readonly transport: Transport;
  readonly scope: string;
  readonly deadline: Deadline;
  readonly blob: BlobSource;
  readonly chunkBytes: number;
};

const maxResumes = 20;

/** Sends a blob to an upload session that is open already: in one piece, or in chunks that are resumed where they broke off. */
export async function sendBlob(upload: Upload, session: URL): Promise<void> {
  const { blob, chunkBytes } = upload;
  if (blob.size <= chunkBytes) {
    await finish(upload, session, blob.size > 0 ? 0 : undefined);
    return;
  }
  const location = await sendChunks(upload, session);
  await finish(upload, location, undefined);
}

/** Where the registry says to go on: relative or absolute, with a state of its own in the query. */
export function locationOf(answer: Answer, base: URL): URL {
  const location = answer.headers.location;
  if (location === undefined) throw new OciError("refused", "the registry opened an upload without a location");
  return new URL(location, base);
}

async function sendChunks(upload: Upload, session: URL): Promise<URL> {
  let location = session;
  let offset = 0;
  let resumes = 0;
  let said: number | undefined;
  while (offset < upload.blob.size) {
    const end = Math.min(offset + upload.chunkBytes, upload.blob.size);
    try {
      const answer = await upload.transport.send({ ...chunkCall(upload, location, offset, end), repeatable: false });
      await answer.body.dump();
      if (answer.status === 416)
        throw new OciError("unavailable", "the registry is at another offset", { status: 416 });
      location = locationOf(answer, location);
      offset = end;
    } catch (error) {
      resumes += 1;
      if (!(error instanceof OciError) || error.kind !== "unavailable" || resumes > maxResumes) throw error;
      // ECR goes on naming the end of the first chunk whatever came since: only a new upload gets out of that.
      if (error.status === 416 && offset === said) throw error;
      ({ location, offset } = await whereWasIt(upload, location, error));
      said = offset;
    }
  }
  return location;
}

function chunkCall(upload: Upload, url: URL, from: number, end: number): Call {
  return {
    method: "PATCH",
    url,
    scope: upload.scope,
    deadline: upload.deadline,
    // 201 is ECR's word for it.
    expect: [201, 202, 416],
    headers: { "content-type": "application/octet-stream", "content-range": `${from}-${end - 1}` },
    body: () => firstBytes(upload.blob.open(from), end - from),
    bodyBytes: end - from,
  };
}

async function whereWasIt(upload: Upload, url: URL, why: OciError): Promise<{ location: URL; offset: number }> {
  const answer = await upload.transport.send({
    method: "GET",
    url,
    scope: upload.scope,
    deadline: upload.deadline,
    expect: [204, 404],
  });
  await answer.body.dump();
  if (answer.status === 404) throw why;
  const last = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.range ?? "")?.[1];
  return { location: locationOf(answer, url), offset: last === undefined || last === "0" ? 0 : Number(last) + 1 };
}

async function finish(upload: Upload, location: URL, from: number | undefined): Promise<void> {
  const { blob } = upload;
  const url = new URL(location);
  url.searchParams.set("digest", blob.digest);
  const answer = await upload.transport.send({
    method: "PUT",
    url,
    scope: upload.scope,
    deadline: upload.deadline,
    expect: [201],
    headers: { "content-type": "application/octet-stream" },
    bodyBytes: from === undefined ? 0 : blob.size,
    ...(from === undefined ? {} : { body: () => blob.open(from) }),
    repeatable: false,
  });
  await readSmall(answer.body);
}

async function* firstBytes(bytes: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const chunk of bytes) {
    if (chunk.byteLength >= left) {
      yield chunk.subarray(0, left);
      return;
    }
    left -= chunk.byteLength;
    yield chunk;
  }
  throw new OciError("invalid", `the blob ends ${left} bytes early`);
}
