import { OciProblem } from "./errors.ts";

/** Passes bytes through; more than `cap` of them is SIZE_INVALID (413). */
export async function* capped(bytes: AsyncIterable<Uint8Array>, cap: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.byteLength;
    if (size > cap) throw new OciProblem("SIZE_INVALID", `more than ${cap} bytes`, { status: 413 });
    yield chunk;
  }
}

export async function readAll(bytes: AsyncIterable<Uint8Array>, cap: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of capped(bytes, cap)) parts.push(part);
  return Buffer.concat(parts);
}

/** Reads to the end and answers how many there were. */
export async function countAll(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of bytes) size += chunk.byteLength;
  return size;
}

/** The first `count` bytes. */
export async function* firstBytes(bytes: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  if (left === 0) return;
  for await (const chunk of bytes) {
    yield chunk.byteLength > left ? chunk.subarray(0, left) : chunk;
    left -= chunk.byteLength;
    if (left <= 0) return;
  }
}

/**
 * Cuts a stream into streams of at most `pieceBytes`. Each has to be read to its end before the next is asked for; an empty
 * stream has no pieces.
 */
export async function* pieces(
  bytes: AsyncIterable<Uint8Array>,
  pieceBytes: number,
): AsyncGenerator<AsyncIterable<Uint8Array>> {
  const source = bytes[Symbol.asyncIterator]();
  let held = await source.next();
  async function* piece() {
    let left = pieceBytes;
    while (!held.done && left > 0) {
      const chunk: Uint8Array = held.value;
      const part = chunk.subarray(0, left);
      const rest = chunk.subarray(left);
      left -= part.byteLength;
      if (part.byteLength > 0) yield part;
      held = rest.byteLength > 0 ? { done: false, value: rest } : await source.next();
    }
  }
  while (!held.done) yield piece();
}

/**
 * Calls `onStall` when a byte was waited for and none came for `idleMs`, so that nobody holds an upload open by saying nothing. Where it is the taker that lets one
 * wait, a slow store above all, nobody stalls.
 */
export async function* paced(
  bytes: AsyncIterable<Uint8Array>,
  idleMs: number,
  onStall: () => void,
): AsyncGenerator<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(onStall, idleMs);
      const next = await source.next().finally(() => clearTimeout(timer));
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await source.return?.();
  }
}
