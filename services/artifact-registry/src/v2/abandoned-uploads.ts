import { knownUploads, uploadsIdleFor } from "../store/images.ts";
import type { Registry } from "./exchange.ts";
import { chunksPrefix, discard, uploadOfChunk } from "./uploads.ts";

const atATime = 100;

/** Gives up uploads that nobody has gone on with for so long, with the bytes that had arrived. Answers how many; two processes that do it at once share them. */
export async function discardAbandoned(registry: Registry, idleMs: number): Promise<number> {
  let discarded = 0;
  for (;;) {
    const idle = await uploadsIdleFor(registry.db, idleMs, atATime);
    for (const { id } of idle) if (await discard(registry, id, idleMs)) discarded += 1;
    if (idle.length < atATime) return discarded;
  }
}

/** Removes bytes of uploads that are not there any more: a process that was killed had taken their rows away, or was about to note them. Answers how many objects. */
export async function removeStrayChunks({ db, objects }: Registry): Promise<number> {
  let removed = 0;
  const keys = (await objects.list(chunksPrefix)).map(({ key }) => key);
  for (let from = 0; from < keys.length; from += atATime) {
    const some = keys.slice(from, from + atATime);
    const known = await knownUploads(db, [...new Set(some.map(uploadOfChunk))]);
    for (const key of some.filter((one) => !known.has(uploadOfChunk(one)))) {
      await objects.delete(key);
      removed += 1;
    }
  }
  return removed;
}
