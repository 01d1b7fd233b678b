import { createWriteStream } from "node:fs";
import { chmod, link, lstat, mkdir, readdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { OciError } from "./errors.ts";
import { linkTarget, type TarPath, tarPath, type Unsafe, whiteout } from "./tar-path.ts";
import type { UnpackLimits } from "./types.ts";

/** What one image has used of its limits, over all layers. */
export type Budget = { entries: number; bytes: number };

/**
 * Applies one layer's tar to a folder that nobody else writes to. Parents have to be real folders: a link is never walked
 * through, an existing file is removed and never written into (it may be shared with other images by hard links).
 */
export async function extractLayer(options: {
  readonly tar: AsyncIterable<Uint8Array>;
  readonly root: string;
  readonly limits: UnpackLimits;
  readonly budget: Budget;
  readonly signal: AbortSignal | undefined;
}): Promise<void> {
  const { root, limits, budget } = options;
  const layer: LayerState = { root, limits, budget, added: new Set() };
  const archive = extract();
  const counted = async function* () {
    for await (const chunk of options.tar) {
      budget.bytes += chunk.byteLength;
      if (budget.bytes > limits.bytes) {
        throw new OciError("too_large", `the image unpacks to more than ${limits.bytes} bytes`);
      }
      yield chunk;
    }
  };
  const reading = (async () => {
    for await (const entry of archive) await apply(layer, entry.header, chunksOf(entry));
  })();
  const feeding = pipeline(counted, archive, options.signal === undefined ? {} : { signal: options.signal });
  const outcomes = await Promise.allSettled([reading.catch((error: unknown) => fail(archive, error)), feeding]);
  const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [asOciError(outcome.reason)] : []));
  const worst = failures.find((error) => error.kind !== "invalid") ?? failures[0];
  if (worst !== undefined) throw worst;
}

type LayerState = {
  readonly root: string;
  readonly limits: UnpackLimits;
  readonly budget: Budget;
  /** Paths this layer made: an opaque whiteout of the same layer leaves them. */
  readonly added: Set<string>;
};

function fail(archive: { destroy(error?: Error): void }, error: unknown): never {
  archive.destroy(error instanceof Error ? error : new Error(String(error)));
  throw error;
}

function asOciError(error: unknown): OciError {
  if (error instanceof OciError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new OciError("invalid", `the layer could not be unpacked: ${why}`, { cause: error });
}

/** As plain iteration: taken as a stream, an entry whose archive breaks off never ends in a pipeline of Node. */
async function* chunksOf(entry: object): AsyncGenerator<Uint8Array> {
  for await (const chunk of entry as AsyncIterable<Uint8Array>) yield chunk;
}

async function apply(layer: LayerState, header: Header, content: AsyncIterable<Uint8Array>): Promise<void> {
  layer.budget.entries += 1;
  if (layer.budget.entries > layer.limits.entries) {
    throw new OciError("too_large", `the image has more than ${layer.limits.entries} entries`);
  }
  if ((header.size ?? 0) > layer.limits.fileBytes) {
    throw new OciError("too_large", `a file has more than ${layer.limits.fileBytes} bytes: ${header.name}`);
  }
  const parts = inside(tarPath(header.name), header.name);
  await place(layer, parts, header, content);
  for await (const _ of content);
}

async function place(
  layer: LayerState,
  parts: readonly string[],
  header: Header,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const last = parts.at(-1);
  if (last === undefined) {
    if (header.type !== "directory") throw unsafe("only a folder can be the root", header.name);
    return;
  }
  const hides = safe(whiteout(last), header.name);
  await makeParents(layer, parts, header.name);
  const path = join(layer.root, ...parts);
  if (hides.kind === "remove") {
    await rm(join(layer.root, ...parts.slice(0, -1), hides.name), { recursive: true, force: true });
    return;
  }
  if (hides.kind === "opaque") return clearLower(layer, parts.slice(0, -1));
  layer.added.add(parts.join("/"));
  await make(layer, parts, path, header, content);
}

async function make(
  layer: LayerState,
  parts: readonly string[],
  path: string,
  header: Header,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const target = header.linkname ?? "";
  switch (header.type) {
    case "directory":
      return makeDirectory(path, (header.mode ?? 0o755) & 0o1777);
    case "file":
    case "contiguous-file":
      await rm(path, { recursive: true, force: true });
      // Exclusive: fails instead of following whatever stands there. Set-uid and group or world writing are not taken over.
      await pipeline(content, createWriteStream(path, { flags: "wx" }));
      await chmod(path, readable((header.mode ?? 0o644) & 0o755));
      return;
    case "symlink":
      safe(linkTarget(parts, target), header.name);
      await rm(path, { recursive: true, force: true });
      return symlink(target, path);
    case "link": {
      const from = inside(tarPath(target), header.name);
      await rm(path, { recursive: true, force: true });
      return link(await realFile(layer.root, from, header.name), path);
    }
    default:
      throw unsafe(`an entry of type ${header.type}`, header.name);
  }
}

/** A folder that is there already keeps its content and takes the new mode. Its owner must stay able to write and to delete. */
async function makeDirectory(path: string, mode: number): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found !== undefined && !found.isDirectory()) await rm(path, { force: true });
  if (!found?.isDirectory()) await mkdir(path);
  await chmod(path, readable(mode | 0o700));
}

/**
 * Owners are not taken over: whoever runs the image is another user than the one it was made for. What its owner could read or enter, everybody can;
 * who sees the image at all is settled by the folder it lies in, and by what is bound into a pod.
 */
function readable(mode: number): number {
  return mode | ((mode & 0o500) >> 6);
}

async function makeParents(layer: LayerState, parts: readonly string[], name: string): Promise<void> {
  let path = layer.root;
  for (const part of parts.slice(0, -1)) {
    path = join(path, part);
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) await makeDirectory(path, 0o755);
    else if (!found.isDirectory()) throw unsafe("a name that passes through a link or a file", name);
  }
}

async function realFile(root: string, parts: readonly string[], name: string): Promise<string> {
  let path = root;
  for (const [index, part] of parts.entries()) {
    path = join(path, part);
    const found = await lstat(path).catch(() => undefined);
    const right = index === parts.length - 1 ? found?.isFile() : found?.isDirectory();
    if (right !== true) throw unsafe("a hard link to something that is not a file of the image", name);
  }
  if (path === root) throw unsafe("a hard link to the root", name);
  return path;
}

async function clearLower(layer: LayerState, folder: readonly string[]): Promise<void> {
  const path = join(layer.root, ...folder);
  for (const child of await readdir(path)) {
    const name = [...folder, child].join("/");
    const kept = [...layer.added].some((added) => added === name || added.startsWith(`${name}/`));
    if (kept) await clearUnder(layer, [...folder, child]);
    else await rm(join(path, child), { recursive: true, force: true });
  }
}

/** A folder this layer touched may still hold children of lower layers. */
async function clearUnder(layer: LayerState, folder: readonly string[]): Promise<void> {
  const found = await lstat(join(layer.root, ...folder));
  if (found.isDirectory()) await clearLower(layer, folder);
}

function inside(path: TarPath, name: string): readonly string[] {
  return safe(path, name).parts;
}

function safe<T extends { readonly kind: string }>(checked: T | Unsafe, name: string): Exclude<T, Unsafe> {
  if (checked.kind === "unsafe") throw unsafe((checked as Unsafe).why, name);
  return checked as Exclude<T, Unsafe>;
}

function unsafe(why: string, name: string): OciError {
  return new OciError("unsafe", `the layer has ${why}: ${JSON.stringify(name.slice(0, 200))}`);
}
