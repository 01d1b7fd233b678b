import type { ServiceName } from "@slipway/kernel";
import { type Descriptor, type ForeignSource, OciError, type RegistryClient } from "@slipway/oci";
import { sideBySide } from "../side-by-side.ts";
import { findBlob, isStored, linkBlob } from "../store/images.ts";
import { storeBlob } from "../v2/blobs.ts";
import { OciProblem } from "../v2/errors.ts";
import type { Registry } from "../v2/exchange.ts";
import type { FoundImage } from "./find-image.ts";

export type CopyBlobs = {
  readonly registry: Registry;
  readonly client: RegistryClient;
  readonly source: ForeignSource;
  readonly into: ServiceName;
  readonly signal: AbortSignal;
  /** Told after each blob, in bytes. */
  progress(copied: number, total: number): Promise<void>;
};

/** Brings the blobs of an image here, each whole and verified or not at all. What is here already is not fetched again. */
export async function copyBlobs(copy: CopyBlobs, image: FoundImage): Promise<void> {
  const wanted = [...new Map([image.config, ...image.layers].map((blob) => [blob.digest, blob])).values()];
  const total = wanted.reduce((sum, blob) => sum + blob.size, 0);
  const tooLarge = wanted.find((blob) => blob.size > copy.registry.maxBlobBytes);
  if (tooLarge !== undefined) {
    throw new OciError(
      "too_large",
      `a layer has ${tooLarge.size} bytes; at most ${copy.registry.maxBlobBytes} are taken`,
    );
  }
  let copied = 0;
  await copy.progress(copied, total);
  await sideBySide(wanted, copy.signal, async (blob, signal) => {
    await copyBlob({ ...copy, signal }, blob);
    copied += blob.size;
    await copy.progress(copied, total);
  });
}

async function copyBlob({ registry, client, source, into, signal }: CopyBlobs, blob: Descriptor): Promise<void> {
  if ((await findBlob(registry.db, into, blob.digest)) !== undefined) return;
  if (await isStored(registry.db, blob.digest)) return linkBlob(registry.db, into, blob.digest);
  try {
    await storeBlob(registry, into, blob.digest, await client.getBlob(source.repository, blob.digest, { signal }));
  } catch (error) {
    if (error instanceof OciProblem)
      throw new OciError("invalid", `${blob.digest}: ${error.message}`, { cause: error });
    throw error;
  }
}
