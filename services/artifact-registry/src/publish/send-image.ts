import type { Digest } from "@slipway/kernel";
import { OciError, type RegistryClient } from "@slipway/oci";
import type { PublicationRequest } from "../domain/publication.ts";
import { sideBySide } from "../side-by-side.ts";
import { findManifest, type ManifestRow } from "../store/images.ts";
import { noteSent, repositoryWith } from "../store/publications.ts";
import { openBlob } from "../v2/blobs.ts";
import type { Registry } from "../v2/exchange.ts";
import { checkManifest, type Descriptor } from "../v2/manifest.ts";

export type SendImage = {
  readonly registry: Registry;
  readonly client: RegistryClient;
  readonly request: PublicationRequest;
  readonly signal: AbortSignal;
};

/**
 * Sends an image that is here, byte for byte: its blobs, then its manifest under the tag that never moves, so that nothing is seen there before it is whole. What is
 * there already is not sent again, and nothing at all where the tag stands for this very image. Throws OciError; `invalid` where the tag is taken by another one.
 */
export async function sendImage(send: SendImage): Promise<void> {
  const { registry, client, request, signal } = send;
  const { service, repository, digest } = request;
  const manifest = await findManifest(registry.db, service, digest);
  if (manifest === undefined) throw new OciError("invalid", `the registry has no image ${service}@${digest} any more`);
  const tag = await tagOf(send);
  const { blobs } = checkManifest(manifest.bytes, manifest.mediaType);
  const wanted = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
  const there = await client.resolve(repository, tag, { signal });
  refuseOther(request, tag, there);
  if (there === undefined) {
    await sendBlobs(send, wanted);
    await putManifest(send, tag, manifest);
  }
  // What is read back is hashed: that it was taken is the registry's word alone.
  if ((await client.getManifest(repository, digest, { signal })) === undefined) {
    throw new OciError("unavailable", `${request.host} took ${repository}:${tag} and does not give ${digest}`);
  }
  const total = wanted.reduce((sum, blob) => sum + blob.size, 0);
  await noteSent(registry.db, request.image, total, total);
}

/** As it is tagged here: the commit of what was built, never that of an image of elsewhere, whose commit may be built here, too. */
async function tagOf({ registry, request }: SendImage): Promise<string> {
  const { service, digest, gitSha } = request;
  const built = (await findManifest(registry.db, service, gitSha))?.digest === digest;
  return built ? gitSha : `external-${digest.slice("sha256:".length, "sha256:".length + 12)}`;
}

function refuseOther({ host, repository, digest }: PublicationRequest, tag: string, there: string | undefined): void {
  if (there === undefined || there === digest) return;
  const what = `${host}/${repository}:${tag} is another image there, ${there}, and not ${digest}`;
  throw new OciError("invalid", `${what}: remove that tag there, or publish to a place that nobody else pushes to`);
}

async function putManifest({ client, request, signal }: SendImage, tag: string, manifest: ManifestRow): Promise<void> {
  const { repository } = request;
  try {
    await client.putManifest(repository, tag, manifest, { signal });
  } catch (error) {
    if (error instanceof OciError && error.kind === "refused")
      refuseOther(request, tag, await client.resolve(repository, tag, { signal }));
    throw error;
  }
}

async function sendBlobs(send: SendImage, wanted: readonly Descriptor[]): Promise<void> {
  const { registry, request, signal } = send;
  const total = wanted.reduce((sum, blob) => sum + blob.size, 0);
  let sent = 0;
  await noteSent(registry.db, request.image, total, sent);
  await sideBySide(wanted, signal, async (blob, either) => {
    await sendBlob({ ...send, signal: either }, blob);
    sent += blob.size;
    await noteSent(registry.db, request.image, total, sent);
  });
}

async function sendBlob({ registry, client, request, signal }: SendImage, { digest, size }: Descriptor): Promise<void> {
  const blob = {
    digest: digest as Digest,
    size,
    open: async function* (from: number) {
      yield* await openBlob(registry, digest, from);
    },
  };
  const mountFrom = await repositoryWith(registry.db, digest, request);
  if (mountFrom !== undefined) {
    try {
      await client.pushBlob(request.repository, blob, { signal, mountFrom });
      return;
    } catch (error) {
      // An account may be held to this repository alone: then it is sent as any other.
      if (!(error instanceof OciError && /^(unauthorised|forbidden|not_found)$/.test(error.kind))) throw error;
    }
  }
  await client.pushBlob(request.repository, blob, { signal });
}
