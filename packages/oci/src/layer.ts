import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { constants, createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createGzip } from "node:zlib";
import { type Digest, type Instant, instant } from "@slipway/kernel";
import { type Pack, pack } from "tar-stream";
import { z } from "zod";
import { hashing, hexOf } from "./digest.ts";
import type { Entry, Source } from "./entries.ts";
import { OciError } from "./errors.ts";
import { type BaseLayer, type BlobSource, Descriptor, type Layer, mediaTypes } from "./types.ts";

export const epochStart: Instant = instant(0);

const pieceBytes = 64 * 1024;

/**
 * Packs entries into a compressed layer and keeps it in `cacheDir` under the digest of its tar, so that the same content is
 * compressed once. Entries come sorted; owner, times and the gzip header are fixed: the same content has the same digest.
 */
export async function makeLayer(options: {
  readonly entries: readonly Entry[];
  readonly mtime: Instant;
  readonly cacheDir: string;
}): Promise<Layer> {
  const { entries, mtime, cacheDir } = options;
  await mkdir(cacheDir, { recursive: true, mode: 0o700 });
  const diffId = await digestOfStream(tarOf(entries, mtime));
  const known = await readCached(cacheDir, diffId);
  if (known !== undefined) return known;
  return compress(tarOf(entries, mtime), diffId, cacheDir);
}

/** A layer as something to push. */
export function layerSource(layer: BaseLayer): BlobSource {
  if ("open" in layer) return layer;
  const { digest, size, path } = layer;
  return { digest, size, open: (from) => createReadStream(path, { start: from }) };
}

const Cached = z.object({ digest: Descriptor.shape.digest, size: z.number().int() });

function cachePaths(cacheDir: string, diffId: Digest) {
  return { blob: join(cacheDir, `${hexOf(diffId)}.tar.gz`), note: join(cacheDir, `${hexOf(diffId)}.json`) };
}

async function readCached(cacheDir: string, diffId: Digest): Promise<Layer | undefined> {
  const { blob, note } = cachePaths(cacheDir, diffId);
  try {
    const { digest, size } = Cached.parse(JSON.parse(await readFile(note, "utf8")));
    if ((await stat(blob)).size !== size) return undefined;
    return { digest, diffId, size, mediaType: mediaTypes.layer, path: blob };
  } catch {
    return undefined;
  }
}

async function compress(tar: AsyncIterable<Uint8Array>, diffId: Digest, cacheDir: string): Promise<Layer> {
  const { blob, note } = cachePaths(cacheDir, diffId);
  const unique = randomUUID();
  const temporary = { blob: `${blob}.${unique}`, note: `${note}.${unique}` };
  let packed: Digest | undefined;
  let result: { digest: Digest; size: number } | undefined;
  try {
    const tarAgain = hashing(tar, (found) => {
      packed = found;
    });
    const compressed = hashing(gzip(tarAgain), (digest, size) => {
      result = { digest, size };
    });
    await writeFile(temporary.blob, compressed, { mode: 0o644 });
    if (result === undefined || packed !== diffId)
      throw new OciError("invalid", "the files changed while they were packed");
    await writeFile(temporary.note, JSON.stringify(result));
    await rename(temporary.blob, blob);
    await rename(temporary.note, note);
    return { ...result, diffId, mediaType: mediaTypes.layer, path: blob };
  } finally {
    await rm(temporary.blob, { force: true });
    await rm(temporary.note, { force: true });
  }
}

/** gzip at level 2, which takes half the time of the usual 6 and a fourteenth more room, fed in pieces of one size and with the operating system's byte of the header fixed (255, unknown). */
async function* gzip(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const stream = createGzip({ level: 2 });
  const feeding = feed(stream, bytes);
  feeding.catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))));
  let offset = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (offset <= 9 && offset + chunk.byteLength > 9) chunk[9 - offset] = 255;
    offset += chunk.byteLength;
    yield chunk;
  }
  await feeding;
}

async function feed(stream: NodeJS.WritableStream, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of pieces(bytes)) {
    await new Promise<void>((resolve, reject) => {
      stream.write(piece, (error) => (error == null ? resolve() : reject(error)));
    });
  }
  stream.end();
}

/** The same bytes in pieces of one size, so that the compressor's output cannot depend on how the disk answered. */
async function* pieces(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held = Buffer.alloc(0);
  for await (const chunk of bytes) {
    held = held.byteLength === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]);
    let at = 0;
    for (; held.byteLength - at >= pieceBytes; at += pieceBytes) yield held.subarray(at, at + pieceBytes);
    held = held.subarray(at);
  }
  if (held.byteLength > 0) yield held;
}

/** A tar of entries as they come. */
export async function* tarOf(entries: readonly Entry[], mtime: Instant): AsyncGenerator<Uint8Array> {
  const tar = pack();
  const packing = packAll(tar, entries, new Date(mtime));
  packing.catch((error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))));
  for await (const chunk of tar as AsyncIterable<Uint8Array>) yield chunk;
  await packing;
}

async function packAll(tar: Pack, entries: readonly Entry[], mtime: Date): Promise<void> {
  const fixed = { uid: 0, gid: 0, uname: "", gname: "", mtime };
  for (const entry of entries) {
    if (entry.kind === "directory")
      tar.entry({ ...fixed, name: `${entry.name}/`, type: "directory", mode: entry.mode });
    else if (entry.kind === "symlink")
      tar.entry({ ...fixed, name: entry.name, type: "symlink", mode: 0o777, linkname: entry.target });
    else await packFile(tar, entry, fixed);
  }
  tar.finalize();
}

async function packFile(tar: Pack, entry: Extract<Entry, { kind: "file" }>, fixed: object): Promise<void> {
  const header = { ...fixed, name: entry.name, type: "file" as const, mode: entry.mode, size: entry.size };
  const sink = tar.entry(header);
  const done = new Promise<void>((resolve, reject) => {
    sink.on("error", reject);
    sink.on("close", resolve);
  });
  done.catch(() => undefined);
  for await (const chunk of contentOf(entry.from)) {
    if (!sink.write(chunk)) await Promise.race([once(sink, "drain"), done]);
  }
  sink.end(undefined);
  await done;
}

async function* contentOf(source: Source): AsyncGenerator<Uint8Array> {
  if ("bytes" in source) {
    if (source.bytes.byteLength > 0) yield source.bytes;
    return;
  }
  const file = await open(source.path, constants.O_RDONLY | constants.O_NOFOLLOW);
  yield* file.createReadStream({ highWaterMark: pieceBytes, autoClose: true });
}

async function digestOfStream(bytes: AsyncIterable<Uint8Array>): Promise<Digest> {
  let digest: Digest | undefined;
  for await (const _ of hashing(bytes, (found) => (digest = found)));
  if (digest === undefined) throw new Error("a stream ended without a digest");
  return digest;
}
