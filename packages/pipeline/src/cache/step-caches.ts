import { randomUUID } from "node:crypto";
import { lstat, mkdir, readdir, readFile, rename, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { copyTree } from "../copy-tree.ts";
import { removeTree } from "../remove-tree.ts";
import { realPlace } from "./real-path.ts";
import { treeBytes } from "./tree-bytes.ts";
import { type Kept, toDrop } from "./which-to-drop.ts";

/** Where a step's `paths` are: those with `~/` in its home, the others in its workspace. */
export type CachePlaces = { readonly workspace: string; readonly home: string };

export type Restored =
  | { readonly kind: "restored"; readonly bytes: number }
  | { readonly kind: "none" }
  /** It vanished or does not fit while it was copied: the workspace and the home have to be made anew. */
  | { readonly kind: "broken"; readonly reason: string };

export type Keeping =
  | { readonly kind: "kept"; readonly bytes: number }
  | { readonly kind: "not kept"; readonly reason: string };

/** Folders that steps keep between builds, on this machine. Several processes may share them. */
export type StepCaches = {
  /** Room for all of them. */
  readonly mostBytes: number;
  /** Copies what is kept under a key to where the step looks for it; the step never sees the kept one. */
  restore(service: string, key: string, paths: readonly string[], places: CachePlaces): Promise<Restored>;
  /** Keeps copies of the folders, all or nothing, and drops what was not used for longest. */
  keep(service: string, key: string, paths: readonly string[], places: CachePlaces): Promise<Keeping>;
  /** Takes away what is kept under a key, since it is of no use: what fits can be kept then. */
  drop(service: string, key: string): Promise<void>;
};

const Note = z.object({ bytes: z.number().int().nonnegative() });
/** Longer than any copy takes: what is younger may still be written, or read by another process. */
const youngMs = 600_000;
const making = ".making-";

/**
 * Entries are `<dir>/<service>/<key>/`, one folder `files/<n>` per path. They appear by a rename and never change, so that two builds at once
 * cannot mix; when one was used last is the time of its note.
 */
export function openStepCaches(options: { readonly dir: string; readonly maxBytes: number }): StepCaches {
  const { dir, maxBytes } = options;
  return {
    mostBytes: maxBytes,
    drop: (service, key) => takeAway(dir, join(dir, service, key)),
    async restore(service, key, paths, places) {
      const entry = join(dir, service, key);
      const bytes = await sizeOf(entry);
      if (bytes === undefined) return { kind: "none" };
      const now = new Date();
      try {
        await utimes(join(entry, "note.json"), now, now);
        for (const [index, path] of paths.entries())
          await restoreOne(join(entry, "files", String(index)), path, places);
        return { kind: "restored", bytes };
      } catch (error) {
        return { kind: "broken", reason: error instanceof Error ? error.message : String(error) };
      }
    },
    async keep(service, key, paths, places) {
      const temporary = join(dir, `${making}${randomUUID()}`);
      try {
        const bytes = await collect(temporary, paths, places, maxBytes);
        if (typeof bytes === "string") return { kind: "not kept", reason: bytes };
        await writeFile(join(temporary, "note.json"), JSON.stringify({ bytes }));
        await mkdir(join(dir, service), { recursive: true, mode: 0o700 });
        await publish(temporary, join(dir, service, key));
        await prune(dir, maxBytes, key);
        return { kind: "kept", bytes };
      } catch (error) {
        return { kind: "not kept", reason: error instanceof Error ? error.message : String(error) };
      } finally {
        await removeTree(temporary);
      }
    },
  };
}

async function sizeOf(entry: string): Promise<number | undefined> {
  const text = await readFile(join(entry, "note.json"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const note = Note.safeParse(JSON.parse(text));
  return note.success ? note.data.bytes : undefined;
}

function placed(path: string, { workspace, home }: CachePlaces): [folder: string, path: string] {
  return path.startsWith("~/") ? [home, path.slice(2)] : [workspace, path];
}

async function restoreOne(from: string, path: string, places: CachePlaces): Promise<void> {
  if ((await stat(from).catch(() => undefined)) === undefined) return;
  const to = await realPlace(...placed(path, places), true);
  if (to === undefined) throw new Error(`${path} leads through something that is no folder`);
  await copyTree(from, to);
}

/** Copies the folders that there are; answers their size, or why they cannot be kept. */
async function collect(
  into: string,
  paths: readonly string[],
  places: CachePlaces,
  maxBytes: number,
): Promise<number | string> {
  await mkdir(join(into, "files"), { recursive: true, mode: 0o700 });
  const folders: { readonly from: string; readonly index: number }[] = [];
  for (const [index, path] of paths.entries()) {
    const from = await realPlace(...placed(path, places));
    if (from !== undefined && (await isFolder(from))) folders.push({ from, index });
  }
  if (folders.length === 0) return `the step left none of ${paths.join(", ")}${hintFor(paths)}`;
  let bytes = 0;
  for (const { from } of folders) bytes += await treeBytes(from);
  if (bytes > maxBytes) return `its size is over the ${maxBytes} bytes that all caches may have`;
  for (const { from, index } of folders) await copyTree(from, join(into, "files", String(index)));
  return bytes;
}

/** Why there is nothing to keep is known of one package manager, whose index has a word in it. */
function hintFor(paths: readonly string[]): string {
  return paths.includes("~/.cache/pip") ? "; pip keeps only what its index allows it to keep" : "";
}

async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() === true;
}

/** Another build may have been as far under the same key: one of the two is as good as the other. */
async function publish(temporary: string, entry: string): Promise<void> {
  await rename(temporary, entry).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
}

async function prune(dir: string, maxBytes: number, justKept: string): Promise<void> {
  const now = Date.now();
  const entries = await listEntries(dir);
  const dropped = toDrop(entries, { maxBytes, busyAfter: now - youngMs, justKept });
  for (const { path } of dropped) await takeAway(dir, path);
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const found = name.startsWith(making) ? await stat(path).catch(() => undefined) : undefined;
    if (found !== undefined && found.mtimeMs < now - youngMs * 6) await removeTree(path);
  }
}

/** Out of the way at once, then gone: a reader sees all of it or nothing. */
async function takeAway(dir: string, path: string): Promise<void> {
  const away = join(dir, `${making}${randomUUID()}`);
  await rename(path, away).catch(() => undefined);
  await removeTree(away);
}

async function listEntries(dir: string): Promise<(Kept & { readonly path: string })[]> {
  const services = (await readdir(dir)).filter((name) => !name.startsWith("."));
  const found: (Kept & { readonly path: string })[] = [];
  for (const service of services) {
    for (const key of await readdir(join(dir, service)).catch(() => [])) {
      const path = join(dir, service, key);
      const note = await stat(join(path, "note.json")).catch(() => undefined);
      found.push({ key, path, bytes: (await sizeOf(path)) ?? 0, usedAt: note?.mtimeMs ?? 0 });
    }
  }
  return found;
}
