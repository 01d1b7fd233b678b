/** A kept cache: its size, and when it was used last (milliseconds). */
export type Kept = { readonly key: string; readonly bytes: number; readonly usedAt: number };

/**
 * What has to go so that the rest fits, used longest ago first. The one that was just kept stays; what was used after `busyAfter` may be in
 * a build's hands right now, and goes only when nothing else is left to go and twice the room is taken.
 */
export function toDrop<K extends Kept>(
  entries: readonly K[],
  {
    maxBytes,
    busyAfter,
    justKept,
  }: { readonly maxBytes: number; readonly busyAfter: number; readonly justKept: string },
): readonly K[] {
  let left = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  const oldestFirst = entries.filter(({ key }) => key !== justKept).sort((a, b) => a.usedAt - b.usedAt);
  const dropped: K[] = [];
  for (const entry of oldestFirst) {
    const most = entry.usedAt > busyAfter ? 2 * maxBytes : maxBytes;
    if (left <= most) break;
    dropped.push(entry);
    left -= entry.bytes;
  }
  return dropped;
}
