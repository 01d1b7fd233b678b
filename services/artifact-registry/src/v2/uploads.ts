import { randomUUID } from "node:crypto";
import {
  appendChunk,
  createUpload,
  findBlob,
  findUpload,
  isStored,
  linkBlob,
  removeUpload,
  type Upload,
} from "../store/images.ts";
import { storeBlob } from "./blobs.ts";
import { capped, pieces } from "./bytes.ts";
import { isBlobDigest } from "./digest.ts";
import { OciProblem } from "./errors.ts";
import type { Answer, Exchange, Registry } from "./exchange.ts";
import { parseContentRange, receivedRange } from "./range.ts";

/** A chunk is saved in pieces of this size, so that a connection that breaks loses no more than one. */
const pieceBytes = 16 * 1024 * 1024;
/** Where chunks lie, those of an upload in a folder of its id. */
export const chunksPrefix = "oci/uploads/";
export const uploadOfChunk = (key: string): string => key.slice(chunksPrefix.length).split("/")[0] ?? "";

type At = { readonly repository: string };
type Session = At & { readonly id: string };

/** POST: mounts a blob of another repository, takes a whole one, or opens an upload. */
export async function startUpload(registry: Registry, exchange: Exchange, { repository }: At): Promise<Answer> {
  const mount = exchange.query.get("mount");
  if (mount !== null && isBlobDigest(mount) && (await mountBlob(registry, exchange, repository, mount))) {
    return created(repository, mount);
  }
  const digest = exchange.query.get("digest");
  if (digest !== null) {
    await storeBlob(registry, repository, checked(digest), exchange.body);
    return created(repository, digest);
  }
  const id = randomUUID();
  await createUpload(registry.db, id, repository);
  return progress({ repository, id }, 0, 202);
}

/** GET: how far an upload is, for whoever wants to go on with it. */
export async function uploadStatus(registry: Registry, session: Session): Promise<Answer> {
  return progress(session, (await found(registry, session)).received, 204);
}

/** PATCH: the next chunk, at the offset that Content-Range says or, without one, where the upload is. */
export async function patchUpload(registry: Registry, exchange: Exchange, session: Session): Promise<Answer> {
  const upload = await found(registry, session);
  const expected = expectedBytes(exchange, session, upload);
  let at = upload.received;
  const body = capped(exchange.body, registry.maxBlobBytes - at);
  for await (const piece of pieces(body, pieceBytes)) {
    const key = `${chunksPrefix}${session.id}/${at}-${randomUUID()}`;
    const { size } = await registry.objects.put(key, piece);
    if (!(await appendChunk(registry.db, session.id, at, { key, size }))) {
      await registry.objects.delete(key);
      throw elsewhere(session, (await found(registry, session)).received);
    }
    at += size;
  }
  if (expected !== undefined && at - upload.received !== expected) {
    throw new OciProblem("SIZE_INVALID", "the chunk has another length than its Content-Range says");
  }
  return progress(session, at, 202);
}

/** PUT: the last bytes, if any, and the digest of all of them. The upload is over, whether they match or not. */
export async function finishUpload(registry: Registry, exchange: Exchange, session: Session): Promise<Answer> {
  const { repository, id } = session;
  const digest = checked(exchange.query.get("digest"));
  // Who asks once more, since nobody answered the first time, is told what became of it: whoever was asked may have been killed when it was done.
  const isDone = async () => (await findBlob(registry.db, repository, digest)) !== undefined;
  const upload = await found(registry, session).catch(async (error: unknown) => {
    if (await isDone()) return undefined;
    throw error;
  });
  if (upload === undefined) return created(repository, digest);
  expectedBytes(exchange, session, upload);
  try {
    await storeBlob(registry, repository, digest, joined(registry, upload, exchange.body));
  } catch (error) {
    if (!(error instanceof OciProblem)) throw error;
    // Its chunks go when another process has made the blob of them.
    const gone = !(await discard(registry, id));
    if (!gone || !(await isDone())) throw error;
  }
  await discard(registry, id);
  return created(repository, digest);
}

/** DELETE: gives an upload up. */
export async function cancelUpload(registry: Registry, session: Session): Promise<Answer> {
  await discard(registry, (await found(registry, session)).id);
  return { status: 204, headers: {} };
}

/** Without `from`, any repository that has the blob will do: whoever may push may read all of them. */
async function mountBlob(registry: Registry, exchange: Exchange, repository: string, digest: string): Promise<boolean> {
  const from = exchange.query.get("from");
  const there = from === null ? await isStored(registry.db, digest) : await findBlob(registry.db, from, digest);
  if (there === false || there === undefined) return false;
  await linkBlob(registry.db, repository, digest);
  return true;
}

async function found(registry: Registry, session: Session): Promise<Upload> {
  const upload = await findUpload(registry.db, session.repository, session.id);
  if (upload === undefined) throw new OciProblem("BLOB_UPLOAD_UNKNOWN", "there is no such upload");
  return upload;
}

/** How many bytes Content-Range announces; a range that does not begin where the upload is, is answered with where that is. */
function expectedBytes(exchange: Exchange, session: Session, upload: Upload): number | undefined {
  const range = parseContentRange(exchange.headers["content-range"]);
  if (range === "none") return undefined;
  if (range === "malformed" || range.from !== upload.received) throw elsewhere(session, upload.received);
  const length = range.to - range.from + 1;
  const announced = exchange.headers["content-length"];
  if (announced !== undefined && Number(announced) !== length) {
    throw new OciProblem("SIZE_INVALID", "Content-Range and Content-Length disagree");
  }
  return length;
}

function elsewhere(session: Session, received: number): OciProblem {
  return new OciProblem("BLOB_UPLOAD_INVALID", `the upload is at ${received} bytes`, {
    status: 416,
    headers: progress(session, received, 416).headers,
  });
}

async function* joined(
  registry: Registry,
  upload: Upload,
  last: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for (const { key } of upload.chunks) {
    const chunk = await registry.objects.get(key);
    if (chunk === undefined) throw new OciProblem("BLOB_UPLOAD_INVALID", "a chunk of the upload is gone; begin again");
    yield* chunk;
  }
  yield* last;
}

/** False: it is gone already or, with `idleMs`, somebody has gone on with it meanwhile. */
export async function discard(registry: Registry, id: string, idleMs?: number): Promise<boolean> {
  const chunks = await removeUpload(registry.db, id, idleMs);
  for (const { key } of chunks ?? []) await registry.objects.delete(key);
  return chunks !== undefined;
}

function checked(digest: string | null): string {
  if (digest !== null && isBlobDigest(digest)) return digest;
  throw new OciProblem("DIGEST_INVALID", "an upload ends with ?digest=<sha256 or sha512 digest>");
}

function progress(session: Session, received: number, status: number): Answer {
  const location = `/v2/${session.repository}/blobs/uploads/${session.id}`;
  return { status, headers: { location, range: receivedRange(received), "docker-upload-uuid": session.id } };
}

function created(repository: string, digest: string): Answer {
  return { status: 201, headers: { location: `/v2/${repository}/blobs/${digest}`, "docker-content-digest": digest } };
}
