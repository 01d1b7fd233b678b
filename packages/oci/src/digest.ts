import { createHash } from "node:crypto";
import type { Digest } from "@slipway/kernel";
import { OciError } from "./errors.ts";

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** Passes bytes through and calls `onEnd` with their digest and number. */
export async function* hashing(
  bytes: AsyncIterable<Uint8Array>,
  onEnd: (digest: Digest, size: number) => void,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of bytes) {
    hash.update(chunk);
    size += chunk.byteLength;
    yield chunk;
  }
  onEnd(`sha256:${hash.digest("hex")}` as Digest, size);
}

/** Passes bytes through and throws `digest_mismatch` at their end when they are not the ones asked for. */
export function verified(bytes: AsyncIterable<Uint8Array>, digest: Digest): AsyncGenerator<Uint8Array> {
  return hashing(bytes, (found) => {
    if (found !== digest) throw new OciError("digest_mismatch", `asked for ${digest}, got ${found}`);
  });
}
