import type { ReadPosition } from "./port.ts";

/** `0.17.3…`: the next offset of each partition, so that no single number has to order what commits side by side. */
export function parsePosition(position: ReadPosition, partitions: number): readonly number[] {
  if (position === 0) return Array.from({ length: partitions }, () => 0);
  const offsets = /^\d{1,15}(\.\d{1,15})*$/.test(position) ? position.split(".").map(Number) : [];
  if (offsets.length !== partitions) throw new RangeError(`not a position of this topic: ${position.slice(0, 80)}`);
  return offsets;
}

export function formatPosition(offsets: readonly number[]): ReadPosition {
  return offsets.join(".");
}

/** The position after these events, which are in order within each partition. */
export function positionAfter(
  from: readonly number[],
  events: readonly { readonly partition: number; readonly offset: number }[],
): readonly number[] {
  const next = [...from];
  for (const { partition, offset } of events) next[partition] = offset + 1;
  return next;
}
