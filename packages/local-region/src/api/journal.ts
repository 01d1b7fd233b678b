import { type FileHandle, mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { decodeFrame, decodeFrames, encodeFrame } from "./frames.ts";
import type { Stored } from "./stored.ts";

const Kept = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    creationTimestamp: z.string(),
  }),
});

/** One change: an object as it became, or as it was when it was removed. */
const Change = z.object({
  revision: z.number().int().positive(),
  resource: z.string(),
  type: z.enum(["put", "remove"]),
  object: Kept,
});
export type Change = {
  readonly revision: number;
  /** idOf() of the object's resource. */
  readonly resource: string;
  readonly type: "put" | "remove";
  readonly object: Stored;
};

const Snapshot = z.object({
  revision: z.number().int().nonnegative(),
  objects: z.array(z.object({ resource: z.string(), object: Kept })),
});
export type Snapshot = {
  readonly revision: number;
  readonly objects: readonly { readonly resource: string; readonly object: Stored }[];
};

/**
 * Everything that a server must still know after it was killed: a snapshot, and the changes since, one frame per sync.
 * A crash between writing a snapshot and emptying the journal leaves changes that the snapshot holds already: readers
 * skip those by revision.
 */
export class Journal {
  readonly #dir: string;
  readonly #file: FileHandle;
  #bytes: number;
  /** The last append failed: what lies behind #bytes is worth nothing. */
  #torn = false;

  private constructor(dir: string, file: FileHandle, bytes: number) {
    this.#dir = dir;
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Throws for a folder that holds something else than this wrote. */
  static async open(dir: string): Promise<{ journal: Journal; snapshot: Snapshot; changes: readonly Change[] }> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const snapshot = await readSnapshot(join(dir, "snapshot"));
    const file = await open(join(dir, "journal"), "a+", 0o600);
    try {
      const { values, validBytes } = decodeFrames(await file.readFile());
      await file.truncate(validBytes);
      await file.sync();
      await syncFolder(dir);
      const changes = values.flatMap((frame) => z.array(Change).parse(frame) as Change[]);
      const newer = changes.filter(({ revision }) => revision > snapshot.revision);
      return { journal: new Journal(dir, file, validBytes), snapshot, changes: newer };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False after an append that failed, until one succeeds. */
  get writable(): boolean {
    return !this.#torn;
  }

  /** Resolves when the changes are on the disk. After a failure they are not, and the next append may be tried. */
  async append(changes: readonly Change[]): Promise<void> {
    const frame = encodeFrame(changes);
    if (this.#torn) await this.#repair();
    this.#torn = true;
    await this.#file.appendFile(frame);
    await this.#file.datasync();
    this.#bytes += frame.length;
    this.#torn = false;
  }

  /** Takes off what a failed append left, so that no whole frame ever follows a torn one. */
  async #repair(): Promise<void> {
    await this.#file.truncate(this.#bytes);
    await this.#file.datasync();
  }

  /** Replaces what is kept so far. */
  async replace(snapshot: Snapshot): Promise<void> {
    const path = join(this.#dir, "snapshot");
    const next = await open(`${path}.new`, "w", 0o600);
    try {
      await next.writeFile(encodeFrame(snapshot));
      await next.sync();
    } finally {
      await next.close();
    }
    await rename(`${path}.new`, path);
    await syncFolder(this.#dir);
    await this.#file.truncate(0);
    await this.#file.datasync();
    this.#bytes = 0;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function readSnapshot(path: string): Promise<Snapshot> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return { revision: 0, objects: [] };
  const frame = decodeFrame(text.trimEnd());
  if (frame === undefined) throw new Error(`${path} is damaged`);
  return Snapshot.parse(frame.value) as Snapshot;
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
