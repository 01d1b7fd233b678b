import { pipeline, Readable } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import type { BuildId } from "@slipway/kernel";

/** Under which a build's log may have left objects: one, and what a process that was killed put there. */
export const logObjects = (buildId: BuildId): string => `logs/${buildId}/`;

/**
 * Of the first `length` bytes of a build's log. A log only grows, so that the key says all of what is under it: whoever puts it there a second time,
 * or late, puts the same.
 */
export const logObjectKey = (buildId: BuildId, length: number): string => `${logObjects(buildId)}${length}.gz`;

const pieceBytes = 65_536;

export function packed(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return through(bytes, createGzip({ chunkSize: pieceBytes }));
}

/** What was packed, from an offset on, in pieces that end with a line: a reader makes text of each. Ends the reading of the object when it is ended. */
export async function* unpacked(object: AsyncIterable<Uint8Array>, from: number): AsyncGenerator<Buffer> {
  let before = from;
  const begun: Buffer[] = [];
  for await (const piece of through(object, createGunzip({ chunkSize: pieceBytes }))) {
    const bytes = piece.subarray(before);
    before -= piece.length - bytes.length;
    const end = bytes.lastIndexOf(10) + 1;
    if (end > 0) yield Buffer.concat([...begun.splice(0), bytes.subarray(0, end)]);
    if (end < bytes.length) begun.push(bytes.subarray(end));
  }
  if (begun.length > 0) yield Buffer.concat(begun);
}

/** What fails on either side fails whoever reads, and whoever stops reading stops both. */
function through(bytes: AsyncIterable<Uint8Array>, how: ReturnType<typeof createGzip>): AsyncIterable<Buffer> {
  return pipeline(Readable.from(bytes), how, () => undefined);
}
