/** What a group commits for a partition: everything before `offset` is done, and of what follows, what the note says. */
export type Commit = { readonly offset: number; readonly note: string };

/** A group that comes back to a partition need not do again what this says is done. */
export type Resumed = { isDone(offset: number): boolean };

/** Kafka takes 4096 bytes with a committed offset. */
const longestNote = 3_000;

/**
 * Where a group stands that has come up to `position` but for the `pending` offsets, which wait. Kafka knows one number per partition: it is
 * the first that is not done. The note says how far beyond it the group has come, and which are left out: `1 <position - offset> <gaps…>`, each
 * pending offset as its distance from the one before. What is too long to be said is done a second time after a restart.
 */
export function commitOf(position: number, pending: Iterable<number>): Commit {
  const sorted = [...pending].sort((a, b) => a - b);
  const [offset] = sorted;
  if (offset === undefined) return { offset: position, note: "" };
  const gaps: string[] = [];
  let upTo = position;
  let length = 20;
  let before = offset;
  for (const one of sorted) {
    const gap = String(one - before);
    length += gap.length + 1;
    if (length > longestNote) {
      upTo = one;
      break;
    }
    gaps.push(gap);
    before = one;
  }
  return { offset, note: `1 ${upTo - offset} ${gaps.join(" ")}` };
}

export function resume(offset: number, note: string | null): Resumed {
  const [form, reach, ...gaps] = (note ?? "").split(" ");
  const numbers = gaps.map(Number);
  if (form !== "1" || !/^\d+$/.test(reach ?? "") || numbers.some((gap) => !Number.isSafeInteger(gap))) {
    return { isDone: (one) => one < offset };
  }
  const upTo = offset + Number(reach);
  let at = offset;
  const left = new Set(numbers.map((gap) => (at += gap)));
  return { isDone: (one) => one < offset || (one < upTo && !left.has(one)) };
}
