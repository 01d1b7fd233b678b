import { uploadsIdleFor } from "../store/images.ts";
import type { Registry } from "./exchange.ts";
import { discard } from "./uploads.ts";

const atATime = 100;

/** Gives up uploads that nobody has gone on with for so long, with the bytes that had arrived. Answers how many. */
export async function discardAbandoned(registry: Registry, idleMs: number): Promise<number> {
  let discarded = 0;
  for (;;) {
    const idle = await uploadsIdleFor(registry.db, idleMs, atATime);
    for (const upload of idle) await discard(registry, upload);
    discarded += idle.length;
    if (idle.length < atATime) return discarded;
  }
}
