import { randomUUID } from "node:crypto";
import { access, constants, type FileHandle, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { keySegments, prefixSegments } from "./key.ts";
import type { ObjectInfo, Objects } from "./port.ts";

/** Files end in a character that no key has, so that `a` and `a/b` can both be objects. */
const suffix = "~";
const temporary = ".tmp";
/** A draft that nobody has written to for so long was left by a process that was killed. */
const abandonedAfterMs = 24 * 3_600_000;

/**
 * Objects as files under one folder, which several processes may share. A body is written beside the tree, synced, then
 * renamed into place, and the folders on the way are synced too: what `put` has promised survives a power cut.
 */
export function fileObjects(options: { readonly root: string }): Objects {
  const { root } = options;
  let swept: Promise<void> | undefined;
  const pathOf = (key: string) => `${join(root, ...keySegments(key))}${suffix}`;

  return {
    async put(key, body) {
      const path = pathOf(key);
      await mkdir(join(root, temporary), { recursive: true, mode: 0o700 });
      swept ??= removeAbandoned(join(root, temporary));
      await swept;
      const draft = join(root, temporary, randomUUID());
      try {
        const size = await writeDurably(draft, body);
        await ensureFolder(dirname(path), root);
        await rename(draft, path);
        await syncFolder(dirname(path));
        return { size };
      } catch (error) {
        await ignoringMissing(unlink(draft));
        throw error;
      }
    },

    async get(key, { from = 0 } = {}) {
      const handle = await ignoringMissing(open(pathOf(key), "r"));
      return handle === undefined ? undefined : readFrom(handle, from);
    },

    async stat(key) {
      const found = await ignoringMissing(stat(pathOf(key)));
      return found === undefined ? undefined : { key, size: found.size };
    },

    async delete(key) {
      const path = pathOf(key);
      const existed = await ignoringMissing(unlink(path).then(() => true));
      if (existed) await syncFolder(dirname(path));
    },

    async list(prefix) {
      const { folders, begun } = prefixSegments(prefix);
      const found: ObjectInfo[] = [];
      await collect(join(root, ...folders), folders, begun, found);
      return found.sort((a, b) => (a.key < b.key ? -1 : 1));
    },

    async problem() {
      try {
        await mkdir(root, { recursive: true, mode: 0o700 });
        await access(root, constants.R_OK | constants.W_OK | constants.X_OK);
        return undefined;
      } catch (error) {
        const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
        return `objects cannot be kept in ${root} (${why}): make it a folder that this user may read and write, or name another in SLIPWAY_OBJECTS_URL`;
      }
    },
  };
}

async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const draft = join(folder, name);
    const written = (await ignoringMissing(stat(draft)))?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (Date.now() - written > abandonedAfterMs) await ignoringMissing(unlink(draft));
  }
}

async function writeDurably(path: string, body: Uint8Array | AsyncIterable<Uint8Array>): Promise<number> {
  const file = await open(path, "wx", 0o600);
  let size = 0;
  try {
    for await (const chunk of body instanceof Uint8Array ? [body] : body) {
      await file.writeFile(chunk);
      size += chunk.byteLength;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return size;
}

async function* readFrom(handle: FileHandle, from: number): AsyncGenerator<Uint8Array> {
  let position = from;
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafe(65_536);
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** Makes a folder and syncs the parent of each one that is new: else the entry itself could be lost with the power. */
async function ensureFolder(folder: string, root: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length && made !== dirname(root); made = dirname(made)) {
    await syncFolder(dirname(made));
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function collect(folder: string, above: readonly string[], begun: string, found: ObjectInfo[]): Promise<void> {
  const entries = (await ignoringMissing(readdir(folder, { withFileTypes: true }))) ?? [];
  for (const entry of entries) {
    if (!entry.name.startsWith(begun) || entry.name.startsWith(".")) continue;
    if (entry.isDirectory()) {
      await collect(join(folder, entry.name), [...above, entry.name], "", found);
    } else if (entry.name.endsWith(suffix)) {
      const size = (await ignoringMissing(stat(join(folder, entry.name))))?.size;
      const key = [...above, entry.name.slice(0, -suffix.length)].join("/");
      if (size !== undefined) found.push({ key, size });
    }
  }
}

async function ignoringMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) {
      return undefined;
    }
    throw error;
  }
}
