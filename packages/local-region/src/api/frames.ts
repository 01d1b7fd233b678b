import { crc32 } from "node:zlib";

/** One line of a journal: checksum and JSON. JSON.stringify writes no line ends, so a line is a frame. */
export function encodeFrame(value: unknown): Buffer {
  const text = JSON.stringify(value);
  return Buffer.from(`${checksum(text)} ${text}\n`);
}

export type Frames = {
  readonly values: readonly unknown[];
  /** Bytes up to the end of the last whole frame. */
  readonly validBytes: number;
};

/**
 * Reads what a journal holds. A torn end is left out: a frame is written only after the one before was synced, so only
 * the last one can be torn, and nobody was told that it is safe. Throws where a broken frame has a whole one after it.
 */
export function decodeFrames(bytes: Buffer): Frames {
  const values: unknown[] = [];
  let validBytes = 0;
  while (validBytes < bytes.length) {
    const end = bytes.indexOf("\n", validBytes);
    const frame = end === -1 ? undefined : decodeFrame(bytes.toString("utf8", validBytes, end));
    if (frame === undefined) break;
    values.push(frame.value);
    validBytes = end + 1;
  }
  if (hasFrame(bytes, validBytes)) throw new Error(`the journal is damaged at byte ${validBytes}`);
  return { values, validBytes };
}

function hasFrame(bytes: Buffer, from: number): boolean {
  const broken = bytes.indexOf("\n", from);
  if (broken === -1) return false;
  return bytes
    .toString("utf8", broken + 1)
    .split("\n")
    .some((line) => decodeFrame(line) !== undefined);
}

export function decodeFrame(line: string): { readonly value: unknown } | undefined {
  const text = line.slice(9);
  if (line[8] !== " " || line.slice(0, 8) !== checksum(text)) return undefined;
  return { value: JSON.parse(text) as unknown };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
