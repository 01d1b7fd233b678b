import { createWriteStream } from "node:fs";
import { chmod, lstat, mkdir, opendir, readlink, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import type { Entry } from "./entries.ts";
import { OciError } from "./errors.ts";
import { epochStart, tarOf } from "./layer.ts";
import { tarPath } from "./tar-path.ts";
import type { UnpackLimits } from "./types.ts";

type FolderLimits = Pick<UnpackLimits, "entries" | "bytes" | "fileBytes">;

/**
 * A folder as a tar, to be sent to another machine and back: files with their executable bit, folders and links. What else there is, owners and
 * times stay behind, as when a workspace is copied.
 */
export async function* packFolder(folder: string): AsyncGenerator<Uint8Array> {
  const entries: Entry[] = [];
  await list(folder, "", entries);
  yield* tarOf(entries, epochStart);
}

async function list(folder: string, within: string, entries: Entry[]): Promise<void> {
  for await (const { name: child } of await opendir(join(folder, within))) {
    const name = within === "" ? child : `${within}/${child}`;
    const path = join(folder, name);
    const found = await lstat(path);
    if (found.isDirectory()) {
      entries.push({ kind: "directory", name, mode: 0o755 });
      await list(folder, name, entries);
    } else if (found.isSymbolicLink()) entries.push({ kind: "symlink", name, target: await readlink(path) });
    else if (found.isFile()) {
      const mode = (found.mode & 0o100) === 0 ? 0o644 : 0o755;
      entries.push({ kind: "file", name, mode, size: found.size, from: { path } });
    }
  }
}

/**
 * Unpacks such a tar over what is in the folder. Nobody vouches for it: no link is followed or walked through, a name cannot lead out, and what is
 * neither file, folder nor link is refused. Throws OciError.
 */
export async function unpackFolder(
  tar: AsyncIterable<Uint8Array>,
  folder: string,
  limits: FolderLimits,
): Promise<void> {
  const used = { entries: 0, bytes: 0 };
  const archive = extract();
  const counted = async function* () {
    for await (const chunk of tar) {
      used.bytes += chunk.byteLength;
      if (used.bytes > limits.bytes) throw new OciError("too_large", `it has more than ${limits.bytes} bytes`);
      yield chunk;
    }
  };
  const reading = (async () => {
    for await (const entry of archive) {
      used.entries += 1;
      if (used.entries > limits.entries)
        throw new OciError("too_large", `it has more than ${limits.entries} files and folders`);
      await place(folder, entry.header, chunksOf(entry), limits);
    }
  })();
  reading.catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  const [read, fed] = await Promise.allSettled([reading, pipeline(counted, archive)]);
  const failures = [fed, read].flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  const failure = failures.find((error) => error instanceof OciError) ?? failures[0];
  if (failure instanceof OciError) throw failure;
  if (failure !== undefined) throw new OciError("invalid", `the tar broke off: ${String(failure)}`, { cause: failure });
}

/** As plain iteration: taken as a stream, an entry whose archive breaks off never ends in a pipeline of Node. */
async function* chunksOf(entry: object): AsyncGenerator<Uint8Array> {
  for await (const chunk of entry as AsyncIterable<Uint8Array>) yield chunk;
}

async function place(folder: string, header: Header, content: AsyncIterable<Uint8Array>, limits: FolderLimits) {
  const path = await wayTo(folder, header);
  switch (header.type) {
    case "directory":
      await clearWay(path, "folder");
      await mkdir(path, { recursive: true });
      break;
    case "file":
      if ((header.size ?? 0) > limits.fileBytes)
        throw new OciError("too_large", `a file has more than ${limits.fileBytes} bytes: ${header.name}`);
      await clearWay(path, "file");
      // Exclusive: fails instead of following whatever stands there.
      await pipeline(content, createWriteStream(path, { flags: "wx" }));
      await chmod(path, ((header.mode ?? 0) & 0o100) === 0 ? 0o644 : 0o755);
      return;
    case "symlink":
      await clearWay(path, "file");
      await symlink(header.linkname ?? "", path);
      break;
    default:
      throw new OciError("unsafe", `it has an entry of type ${header.type}: ${header.name}`);
  }
  for await (const _ of content);
}

/** The path of an entry, whose parents are real folders. */
async function wayTo(folder: string, { name, type }: Header): Promise<string> {
  const checked = tarPath(name);
  if (checked.kind === "unsafe") throw new OciError("unsafe", `it has ${checked.why}: ${name.slice(0, 200)}`);
  if (checked.parts.length === 0 && type !== "directory") throw new OciError("unsafe", "only a folder can be the root");
  let path = folder;
  for (const part of checked.parts.slice(0, -1)) {
    path = join(path, part);
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) await mkdir(path);
    else if (!found.isDirectory()) throw new OciError("unsafe", `it passes through a link or a file: ${name}`);
  }
  return join(path, checked.parts.at(-1) ?? ".");
}

async function clearWay(path: string, wanted: "file" | "folder"): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || (wanted === "folder" && found.isDirectory())) return;
  await rm(path, { recursive: true, force: true });
}
