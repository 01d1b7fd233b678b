import type { RegistryClient } from "./client.ts";
import { digestOf } from "./digest.ts";
import { collectEntries } from "./entries.ts";
import { layerSource, makeLayer } from "./layer.ts";
import { thisPlatform } from "./platform.ts";
import { type BaseLayer, type BlobSource, type ImageRequest, mediaTypes, type WrittenImage } from "./types.ts";

const defaultPath = "/usr/local/bin:/usr/bin:/bin";
const nobody = "65534:65534";

/** Builds an image of the base layers and one layer of files, pushes what the registry lacks, and puts its manifest. */
export async function writeImage(request: ImageRequest & { readonly client: RegistryClient }): Promise<WrittenImage> {
  const { client, repository, createdAt, cacheDir } = request;
  const options = request.signal === undefined ? {} : { signal: request.signal };
  const files = await makeLayer({ entries: await collectEntries(request.files), mtime: createdAt, cacheDir });
  const layers = [...request.base, files];
  const config = bytesSource(configOf(request, layers));
  const manifest = manifestOf(config, layers);

  const blobs = { uploaded: 0, mounted: 0, present: 0 };
  for (const layer of request.base) {
    const mount = request.mountFrom === undefined ? {} : { mountFrom: request.mountFrom };
    blobs[await client.pushBlob(repository, layerSource(layer), { ...options, ...mount })] += 1;
  }
  for (const blob of [layerSource(files), config]) blobs[await client.pushBlob(repository, blob, options)] += 1;

  const bytes = canonical(manifest);
  const reference = request.tag ?? digestOf(bytes);
  const digest = await client.putManifest(repository, reference, { mediaType: mediaTypes.manifest, bytes }, options);
  const size = layers.reduce((sum, layer) => sum + layer.size, config.size + bytes.byteLength);
  return { digest, size, blobs };
}

/** Keys in the order written here, maps sorted: the same request gives the same bytes. */
function configOf(request: ImageRequest, layers: readonly BaseLayer[]): Uint8Array {
  const env = { PATH: defaultPath, ...request.env };
  return canonical({
    created: request.createdAt,
    ...thisPlatform,
    config: {
      User: request.user ?? nobody,
      Env: sortedPairs(env).map(([name, value]) => `${name}=${value}`),
      ...(request.entrypoint === undefined ? {} : { Entrypoint: request.entrypoint }),
      Cmd: request.command,
      WorkingDir: request.workingDir ?? request.files.at,
      ...(request.labels === undefined ? {} : { Labels: Object.fromEntries(sortedPairs(request.labels)) }),
    },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created: request.createdAt, created_by: "slipway" })),
  });
}

function manifestOf(config: BlobSource, layers: readonly BaseLayer[]) {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
}

function sortedPairs(record: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

function canonical(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value), "utf8");
}

function bytesSource(bytes: Uint8Array): BlobSource {
  return {
    digest: digestOf(bytes),
    size: bytes.byteLength,
    async *open(from) {
      if (from < bytes.byteLength) yield bytes.subarray(from);
    },
  };
}
