import { lstat, readdir, readlink } from "node:fs/promises";
import { join, posix } from "node:path";
import { OciError } from "./errors.ts";
import type { LayerFiles } from "./types.ts";

/** One entry of a layer before it is packed. `name` has no leading slash. Owner is always 0:0. */
export type Entry =
  | { readonly kind: "directory"; readonly name: string; readonly mode: number }
  | { readonly kind: "symlink"; readonly name: string; readonly target: string }
  | {
      readonly kind: "file";
      readonly name: string;
      readonly mode: number;
      readonly size: number;
      readonly from: Source;
    };

export type Source = { readonly path: string } | { readonly bytes: Uint8Array };

export function directory(name: string, mode = 0o755): Entry {
  return { kind: "directory", name, mode };
}

export function textFile(name: string, text: string, mode = 0o644): Entry {
  const bytes = Buffer.from(text, "utf8");
  return { kind: "file", name, mode, size: bytes.byteLength, from: { bytes } };
}

/** Every entry once, each folder before what is in it, in byte order whatever the machine's language. */
export function sorted(entries: readonly Entry[]): readonly Entry[] {
  const byName = new Map<string, Entry>();
  for (const entry of entries) {
    for (const parent of parentsOf(entry.name)) if (!byName.has(parent)) byName.set(parent, directory(parent));
    byName.set(entry.name, entry);
  }
  return [...byName.values()].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

function parentsOf(name: string): string[] {
  const parts = name.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

/**
 * Lists the files to copy. The folder was written by somebody's build, so links are never followed: a copied path that passes
 * through one, a link that leads out of what is copied, and anything but files, folders and links is `unsafe`.
 */
export async function collectEntries(files: LayerFiles): Promise<readonly Entry[]> {
  const at = files.at.replace(/^\/+|\/+$/g, "");
  const entries: Entry[] = at === "" ? [] : [directory(at)];
  for (const copied of files.copy) {
    const relative = posix.normalize(copied).replace(/\/+$/, "");
    if (posix.isAbsolute(relative) || relative === ".." || relative.startsWith("../")) {
      throw new OciError("unsafe", `image.copy leads out of the repository: ${copied}`);
    }
    await refuseLinkedParents(files.dir, relative);
    await walk({ ...files, at }, relative === "." ? "" : relative, entries);
  }
  return sorted(entries);
}

async function refuseLinkedParents(dir: string, relative: string): Promise<void> {
  for (const parent of [...parentsOf(relative), relative]) {
    const found = await lstat(join(dir, parent)).catch(() => undefined);
    if (found === undefined)
      throw new OciError("not_found", `image.copy names ${relative}, which the build did not leave`);
    if (found.isSymbolicLink() && parent !== relative) {
      throw new OciError("unsafe", `image.copy passes through a link: ${parent}`);
    }
  }
}

/** Adds what is at a path; false where it is left out, or a folder of which everything is. */
async function walk(files: LayerFiles, relative: string, entries: Entry[]): Promise<boolean> {
  const path = join(files.dir, relative);
  const name = [files.at, relative].filter((part) => part !== "").join("/");
  const found = await lstat(path);
  if (found.isDirectory()) return walkFolder(files, relative, name, entries);
  if ((await files.omit?.(relative)) === true) return false;
  if (found.isFile()) {
    const mode = (found.mode & 0o111) === 0 ? 0o644 : 0o755;
    entries.push({ kind: "file", name, mode, size: found.size, from: { path } });
  } else if (found.isSymbolicLink()) {
    const target = await readlink(path);
    refuseLeavingLink(relative, target);
    entries.push({ kind: "symlink", name, target });
  } else {
    throw new OciError("unsafe", `neither file, folder nor link: ${relative}`);
  }
  return true;
}

async function walkFolder(files: LayerFiles, relative: string, name: string, entries: Entry[]): Promise<boolean> {
  // Bytecode that Python keeps tells when it was made; Python makes it again where it may.
  const children = (await readdir(join(files.dir, relative))).filter((child) => child !== "__pycache__").sort();
  let kept = children.length === 0;
  for (const child of children)
    if (await walk(files, relative === "" ? child : `${relative}/${child}`, entries)) kept = true;
  if (kept && name !== "") entries.push(directory(name));
  return kept;
}

function refuseLeavingLink(relative: string, target: string): void {
  const leads = posix.normalize(posix.join(posix.dirname(relative), target));
  if (posix.isAbsolute(target) || leads === ".." || leads.startsWith("../")) {
    throw new OciError("unsafe", `a link leads out of the repository: ${relative} -> ${target}`);
  }
}
