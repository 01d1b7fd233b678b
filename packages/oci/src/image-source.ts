import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@slipway/kernel";
import type { RegistryAuth } from "./auth.ts";
import { RegistryClient } from "./client.ts";
import { hexOf } from "./digest.ts";
import { OciError } from "./errors.ts";
import { manifestFor, type Platform, requirePlatform, thisPlatform } from "./platform.ts";
import { fetchImage, readJson } from "./read-image.ts";
import { type Descriptor, ImageIndex, mediaTypes, type RemoteLayer, type UnpackedImage } from "./types.ts";
import { configurationOf, pullAndUnpack } from "./unpack.ts";

/** How a registry is reached, where not by its name alone. */
export type RegistryAccess = { readonly url: string; readonly auth?: RegistryAuth };

/** An image as people name it, with nothing left out. */
export type NamedImage = {
  readonly host: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
};

/** A named image as it is now: made for this machine, and fixed by its digest. */
export type ResolvedImage = { readonly name: NamedImage; readonly digest: Digest };

/** The layers of an image to build upon, and the environment that it sets. */
export type ImageBase = { readonly layers: readonly RemoteLayer[]; readonly env: Readonly<Record<string, string>> };

/** Images of any registry, for this machine. Every method throws OciError, with what to do in its message. */
export type ImageSource = {
  resolve(name: NamedImage, signal?: AbortSignal): Promise<ResolvedImage>;
  /** Pulled and unpacked once per digest; the root is shared and never written to. */
  unpack(image: ResolvedImage, signal?: AbortSignal): Promise<UnpackedImage>;
  base(image: ResolvedImage, signal?: AbortSignal): Promise<ImageBase>;
  close(): Promise<void>;
};

export type ImageSourceOptions = {
  /** Folder of this machine's images. */
  readonly into: string;
  /** By the host as an image names it; asked at each use, since a platform's own address is known late. */
  access(host: string): RegistryAccess | undefined;
  readonly deadlineMs?: number;
  readonly platform?: Platform;
};

const defaultDeadlineMs = 30_000;

export function openImageSource(options: ImageSourceOptions): ImageSource {
  const { into, platform = thisPlatform } = options;
  const clients = new Map<string, RegistryClient>();
  const clientOf = (host: string): RegistryClient => {
    const access = options.access(host) ?? { url: defaultUrl(host) };
    const known = clients.get(access.url);
    if (known !== undefined) return known;
    const client = new RegistryClient({ deadlineMs: options.deadlineMs ?? defaultDeadlineMs, ...access });
    clients.set(access.url, client);
    return client;
  };
  const place = ({ name, digest }: ResolvedImage, signal: AbortSignal | undefined) => ({
    ...{ client: clientOf(name.host), repository: name.repository, digest },
    ...(signal === undefined ? {} : { signal }),
  });
  return {
    resolve: (name, signal) => explained(name, () => resolve(clientOf(name.host), name, platform, signal)),
    unpack: (image, signal) => explained(image.name, () => pullAndUnpack({ ...place(image, signal), into })),
    base: (image, signal) =>
      explained(image.name, async () => {
        const from = place(image, signal);
        const { manifest, config } = await fetchImage(from);
        const layers = manifest.layers.map((layer, index): RemoteLayer => {
          const diffId = config.rootfs.diff_ids[index];
          if (diffId === undefined) throw new OciError("invalid", "the image has more layers than it says");
          return remoteLayer(from, layer, diffId, join(into, "blobs"));
        });
        return { layers, env: configurationOf(config).env };
      }),
    close: async () => {
      await Promise.all([...clients.values()].map((client) => client.close()));
    },
  };
}

/** `node:24`, as short as it may be written. */
export function imageText({ host, repository, tag, digest }: NamedImage): string {
  const path = host === "docker.io" ? repository.replace(/^library\//, "") : `${host}/${repository}`;
  return `${path}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

async function resolve(
  client: RegistryClient,
  name: NamedImage,
  platform: Platform,
  signal: AbortSignal | undefined,
): Promise<ResolvedImage> {
  const options = signal === undefined ? {} : { signal };
  const stored = await client.getManifest(name.repository, name.digest ?? name.tag ?? "latest", options);
  if (stored === undefined) throw new OciError("not_found", "the registry has no such image");
  const isIndex = stored.mediaType === mediaTypes.index || stored.mediaType === mediaTypes.dockerManifestList;
  const digest = isIndex
    ? manifestFor(readJson(ImageIndex, stored.bytes, "index"), platform, imageText(name))
    : stored.digest;
  const { config } = await fetchImage({ client, repository: name.repository, digest, ...options });
  requirePlatform(config, platform, imageText(name));
  return { name, digest };
}

type Place = {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly digest: Digest;
  readonly signal?: AbortSignal;
};

/** Docker's media type of a layer is OCI's under another name. Layers that may not be redistributed are refused. */
function remoteLayer(from: Place, layer: Descriptor, diffId: Digest, folder: string): RemoteLayer {
  const mediaType = layer.mediaType === mediaTypes.dockerLayer ? mediaTypes.layer : layer.mediaType;
  if (!/^application\/vnd\.oci\.image\.layer\.v1\.tar(\+(gzip|zstd))?$/.test(mediaType))
    throw new OciError("invalid", `a layer cannot be built upon: ${mediaType}`);
  const { digest, size } = layer;
  return {
    ...{ digest, size, diffId, mediaType },
    async *open(start) {
      yield* createReadStream(await fetched(from, digest, size, folder), { start });
    },
  };
}

/** A push may read a blob several times, so that it lies on this disk first; its digest is verified on the way. */
async function fetched(from: Place, digest: Digest, size: number, folder: string): Promise<string> {
  const path = join(folder, hexOf(digest));
  if ((await stat(path).catch(() => undefined))?.size === size) return path;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomUUID()}`;
  const options = from.signal === undefined ? {} : { signal: from.signal };
  try {
    await writeFile(temporary, await from.client.getBlob(from.repository, digest, options), { mode: 0o600 });
    await rename(temporary, path);
    return path;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function explained<T>(name: NamedImage, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    const { kind, status, code } = error;
    const more = { ...(status === undefined ? {} : { status }), ...(code === undefined ? {} : { code }), cause: error };
    const what = kind === "untrusted" ? "" : `; ${remedy(name, kind)}`;
    throw new OciError(kind, `the image ${imageText(name)} could not be had: ${error.message}${what}`, more);
  }
}

function remedy({ host }: NamedImage, kind: OciError["kind"]): string {
  if (kind === "not_found") return `check its name and tag at ${host}`;
  if (kind === "unauthorised" || kind === "forbidden")
    return `check its name, or give the credentials of ${host} in SLIPWAY_IMAGE_REGISTRIES`;
  if (kind === "unavailable")
    return `check that this machine reaches ${host}, or name a mirror in SLIPWAY_IMAGE_REGISTRIES`;
  return "name another image";
}

function defaultUrl(host: string): string {
  if (host === "docker.io") return "https://registry-1.docker.io";
  const isLoopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?$/.test(host);
  return `${isLoopback ? "http" : "https"}://${host}`;
}
