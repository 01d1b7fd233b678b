import { addBlob, findBlob, isStored } from "../store/images.ts";
import { capped, countAll, firstBytes } from "./bytes.ts";
import { blobKey, verified } from "./digest.ts";
import { OciProblem } from "./errors.ts";
import type { Answer, Exchange, Registry } from "./exchange.ts";
import { parseRange } from "./range.ts";

/** GET and HEAD of a blob, whole or a part. */
export async function readBlob(
  registry: Registry,
  exchange: Exchange,
  blob: { readonly repository: string; readonly digest: string },
): Promise<Answer> {
  const { repository, digest } = blob;
  const found = await findBlob(registry.db, repository, digest);
  if (found === undefined)
    throw new OciProblem("BLOB_UNKNOWN", "the repository has no such blob", { detail: { digest } });
  const headers = {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    etag: `"${digest}"`,
    "accept-ranges": "bytes",
    "cache-control": "private, max-age=31536000, immutable",
  };
  const whole = { ...headers, "content-length": String(found.size) };
  if (exchange.method === "HEAD") return { status: 200, headers: whole };
  const range = parseRange(exchange.headers.range, found.size);
  if (range === "unsatisfiable") {
    throw new OciProblem("SIZE_INVALID", "the range begins past the end", {
      status: 416,
      headers: { "content-range": `bytes */${found.size}` },
    });
  }
  if (range === "all") return { status: 200, headers: whole, body: await openBlob(registry, digest, 0) };
  const { from, to } = range;
  const body = firstBytes(await openBlob(registry, digest, from), to - from + 1);
  const part = { "content-range": `bytes ${from}-${to}/${found.size}`, "content-length": String(to - from + 1) };
  return { status: 206, headers: { ...headers, ...part }, body };
}

/**
 * Takes a blob's bytes in. They are hashed on their way and stored only when they are what was promised; the row that makes
 * the blob visible comes last, so that a crash leaves either nothing or a whole blob.
 */
export async function storeBlob(
  registry: Registry,
  repository: string,
  digest: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  const checked = verified(capped(bytes, registry.maxBlobBytes), digest);
  const size = (await isStored(registry.db, digest))
    ? await countAll(checked)
    : (await registry.objects.put(blobKey(digest), checked)).size;
  await addBlob(registry.db, repository, digest, size);
}

/** The bytes of a blob that has a row, from an offset on. */
export async function openBlob(registry: Registry, digest: string, from: number): Promise<AsyncIterable<Uint8Array>> {
  const bytes = await registry.objects.get(blobKey(digest), { from });
  if (bytes !== undefined) return bytes;
  registry.log.error({ digest }, "a blob has a row and no bytes");
  throw new OciProblem("UNKNOWN", "the blob's bytes are missing", { detail: { digest } });
}
