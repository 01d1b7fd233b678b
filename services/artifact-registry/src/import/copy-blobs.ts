import type { ServiceName } from "@slipway/kernel";
import { type Descriptor, type ForeignSource, OciError, type RegistryClient } from "@slipway/oci";
import { findBlob, isStored, linkBlob } from "../store/images.ts";
import { storeBlob } from "../v2/blobs.ts";
import { OciProblem } from "../v2/errors.ts";
import type { Registry } from "../v2/exchange.ts";
import type { FoundImage } from "./find-image.ts";

/** Blobs on their way at once. */
const atOnce = 3;

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
  const waiting = [...wanted];
  const others = new AbortController();
  const one = { ...copy, signal: AbortSignal.any([copy.signal, others.signal]) };
  const worker = async (): Promise<void> => {
    for (let blob = waiting.shift(); blob !== undefined; blob = waiting.shift()) {
      await copyBlob(one, blob);
      copied += blob.size;
      await copy.progress(copied, total);
    }
  };
  const workers = Array.from({ length: atOnce }, () =>
    worker().catch((error: unknown) => {
      waiting.length = 0;
      others.abort();
      throw error;
    }),
  );
  // All of them have ended before the copy has, so that none works on beside its repetition.
  const ends = await Promise.allSettled(workers);
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as unknown] : []));
  const cause = failures.find((error) => !(error instanceof OciError && error.kind === "unavailable")) ?? failures[0];
  if (cause !== undefined) throw cause;
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
