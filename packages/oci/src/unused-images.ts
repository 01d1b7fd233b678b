import { randomUUID } from "node:crypto";
import { readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@slipway/kernel";
import { hexOf } from "./digest.ts";

const making = ".making-";
/** The time of this file is when the image was last wanted. */
export const useMark = "image.json";
/** Likewise for a lowest layer that images share. */
export const layerMark = "complete";

/** Says that something is in use, so that it is not taken for forgotten. */
export async function markUse(folder: string, mark: string): Promise<void> {
  const now = new Date();
  await utimes(join(folder, mark), now, now).catch(() => undefined);
}

/** The same of an image that may not be unpacked here. */
export async function markImageUse(into: string, digest: Digest): Promise<void> {
  await markUse(join(into, hexOf(digest)), useMark);
}

/**
 * Removes unpacked images of this machine, and lowest layers, that nobody has wanted for so long, and what was left half made. Several processes may
 * share the folder, so whoever uses an image marks it more often than that. `isHeld`: asked once more of each, since removing what runs cannot be undone;
 * whatever else is wanted again is pulled again. Answers what was removed.
 */
export async function removeUnusedImages(request: {
  readonly into: string;
  readonly unusedMs: number;
  readonly isHeld: (folder: string) => Promise<boolean>;
}): Promise<readonly string[]> {
  const { into, unusedMs, isHeld } = request;
  const before = Date.now() - unusedMs;
  const removed: string[] = [];
  for (const [folder, mark] of [[into, useMark] as const, [join(into, "layers"), layerMark] as const]) {
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const age = await agedBy(path, name.startsWith(making) ? "" : mark);
      if (age === undefined || age >= before || (await isHeld(path))) continue;
      // Out of the way at once: who looks for it finds all of it or nothing.
      const away = join(folder, `${making}${randomUUID()}`);
      await rename(path, away).catch(() => undefined);
      await rm(away, { recursive: true, force: true, maxRetries: 3 });
      removed.push(name);
    }
  }
  return removed;
}

/** Undefined for what is no image, layer or remains of one. */
async function agedBy(path: string, mark: string): Promise<number | undefined> {
  if (mark !== "" && !/\/[0-9a-f]{64}$/.test(path)) return undefined;
  return (await stat(join(path, mark)).catch(() => undefined))?.mtimeMs;
}
