import type { GitSha } from "@slipway/kernel";
import {
  type Descriptor,
  type ForeignSource,
  ImageConfig,
  ImageManifest,
  isDigest,
  mediaTypes,
  OciError,
  type RegistryClient,
  type StoredManifest,
} from "@slipway/oci";
import { z } from "zod";

const maxConfigBytes = 4 * 1024 * 1024;
/** The same as where images are unpacked: what is copied has to be able to run. */
const maxLayers = 128;

const Index = z.looseObject({
  manifests: z.array(
    z.looseObject({
      digest: z.string().refine(isDigest),
      platform: z.looseObject({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).optional(),
    }),
  ),
});
const MediaType = z.looseObject({ mediaType: z.string().optional() });

export type FoundImage = {
  readonly manifest: StoredManifest;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** The commit its label org.opencontainers.image.revision names, where that is one. */
  readonly revision: GitSha | undefined;
};

/**
 * The manifest that runs on a platform: the one that was named, or the right one of the index that was named. Every digest on the way is
 * verified. Throws OciError: `not_found`, `invalid` for what cannot run here, and what the registry answers.
 */
export async function findImage(
  client: RegistryClient,
  source: ForeignSource,
  platform: string,
  signal: AbortSignal,
): Promise<FoundImage> {
  const named = await read(client, source.repository, source.digest, signal);
  const isIndex = named.mediaType === mediaTypes.index || named.mediaType === mediaTypes.dockerManifestList;
  const manifest = isIndex ? await read(client, source.repository, ofPlatform(named, platform), signal) : named;
  if (manifest.mediaType !== mediaTypes.manifest && manifest.mediaType !== mediaTypes.dockerManifest) {
    throw new OciError("invalid", `${source.digest} is a ${manifest.mediaType}, which is no image that can run here`);
  }
  const { config, layers } = parse(ImageManifest, manifest.bytes, "manifest");
  if (layers.length > maxLayers) throw new OciError("too_large", `the image has more than ${maxLayers} layers`);
  const absent = layers.find((layer) => /\.nondistributable\.|\.foreign\./.test(layer.mediaType));
  if (absent !== undefined) throw new OciError("invalid", "the image has a layer that its registry does not give away");
  const image = await readConfig(client, source.repository, config, signal);
  const built = `${image.os}/${image.architecture}`;
  if (!isIndex && built !== platform.split("/").slice(0, 2).join("/")) {
    throw new OciError(
      "invalid",
      `the image is for ${built}, not for ${platform}; say platform where regions run that`,
    );
  }
  const revision = image.config.Labels?.["org.opencontainers.image.revision"] ?? "";
  return { manifest, config, layers, revision: /^[0-9a-f]{40}$/.test(revision) ? (revision as GitSha) : undefined };
}

async function read(client: RegistryClient, repository: string, digest: string, signal: AbortSignal) {
  const found = await client.getManifest(repository, digest, { signal });
  if (found === undefined) throw new OciError("not_found", `there is no ${repository}@${digest} in that registry`);
  // Some registries answer another content type than the manifest says of itself.
  const said = parse(MediaType, found.bytes, "manifest").mediaType;
  return said === undefined ? found : { ...found, mediaType: said };
}

function ofPlatform(index: StoredManifest, platform: string): string {
  const [os, architecture, variant] = platform.split("/");
  const { manifests } = parse(Index, index.bytes, "index");
  const fits = manifests.filter(({ platform: of }) => of?.os === os && of?.architecture === architecture);
  const chosen = variant === undefined ? fits[0] : fits.find(({ platform: of }) => of?.variant === variant);
  if (chosen !== undefined) return chosen.digest;
  const offered = manifests.flatMap(({ platform: of }) =>
    of === undefined || of.os === "unknown" ? [] : [[of.os, of.architecture, of.variant].filter(Boolean).join("/")],
  );
  throw new OciError(
    "invalid",
    `the index has no image for ${platform}; it has ${offered.join(", ") || "none at all"}`,
  );
}

async function readConfig(client: RegistryClient, repository: string, config: Descriptor, signal: AbortSignal) {
  if (config.size > maxConfigBytes) throw new OciError("too_large", "the image's configuration is too large");
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of await client.getBlob(repository, config.digest, { signal })) {
    size += part.byteLength;
    if (size > maxConfigBytes) throw new OciError("too_large", "the image's configuration is too large");
    parts.push(part);
  }
  return parse(ImageConfig, Buffer.concat(parts), "configuration");
}

function parse<T>(shape: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  try {
    return shape.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (cause) {
    throw new OciError("invalid", `the image's ${what} could not be read`, { cause });
  }
}
