import type { Region } from "../region.ts";
import { events } from "../resources.ts";
import type { Stored } from "../stored.ts";

const keepMs = 3_600_000;
const keepMost = 1_000;
/** Looked at only after so many new ones: each look reads all. */
const every = 100;

/** Keeps the last hour of events, and not too many of them. Driven by new events: a quiet region needs no timer. */
export function eventExpiry(region: Region): () => void {
  let added = every;
  return () => {
    added += 1;
    if (added < every) return;
    added = 0;
    const now = Date.parse(region.clock.now());
    const all = region.store.listLatest(events).sort((a, b) => lastSeen(a) - lastSeen(b));
    const surplus = all.length - keepMost;
    for (const [index, event] of all.entries()) {
      if (index < surplus || now - lastSeen(event) > keepMs) region.store.remove(events, event);
    }
  };
}

function lastSeen(event: Stored): number {
  const at = Date.parse(String(event.lastTimestamp ?? event.metadata.creationTimestamp));
  return Number.isNaN(at) ? Date.parse(event.metadata.creationTimestamp) : at;
}
