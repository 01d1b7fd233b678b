import { createHash } from "node:crypto";
import { OciProblem } from "./errors.ts";

const shapes = { sha256: /^[0-9a-f]{64}$/, sha512: /^[0-9a-f]{128}$/ } as const;
export type Algorithm = keyof typeof shapes;

/** Digests of blobs and manifests: sha256 as everywhere else in Slipway, and sha512, which the specification registers too. */
export function isBlobDigest(text: string): boolean {
  const [algorithm, hex, ...rest] = text.split(":");
  if (algorithm !== "sha256" && algorithm !== "sha512") return false;
  return rest.length === 0 && shapes[algorithm].test(hex ?? "");
}

export function algorithmOf(digest: string): Algorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

export function digestOf(bytes: Uint8Array, algorithm: Algorithm): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Where the bytes of a blob are kept. */
export function blobKey(digest: string): string {
  const [algorithm, hex = ""] = digest.split(":");
  return `oci/blobs/${algorithm}/${hex.slice(0, 2)}/${hex}`;
}

/** Passes bytes through and throws DIGEST_INVALID at their end when they are not the ones promised. */
export async function* verified(bytes: AsyncIterable<Uint8Array>, digest: string): AsyncGenerator<Uint8Array> {
  const algorithm = algorithmOf(digest);
  const hash = createHash(algorithm);
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
  const found = `${algorithm}:${hash.digest("hex")}`;
  if (found !== digest) {
    throw new OciProblem("DIGEST_INVALID", "the bytes have another digest", { detail: { digest, found } });
  }
}
