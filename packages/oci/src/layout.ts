import { createReadStream } from "node:fs";
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@slipway/kernel";
import { z } from "zod";
import { digestOf, hashing, hexOf } from "./digest.ts";
import { OciError } from "./errors.ts";
import { requirePlatform, thisPlatform } from "./platform.ts";
import { readJson } from "./read-image.ts";
import { type BlobSource, type Descriptor, ImageConfig, ImageIndex, ImageManifest, mediaTypes } from "./types.ts";

/** The image of a folder that is an OCI layout, as builders leave it. */
export type LayoutImage = {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  /** Its layers and its configuration. */
  readonly blobs: readonly BlobSource[];
  /** What it was built on, each `name:tag@sha256:…`, as its builder's own provenance says. */
  readonly bases: readonly string[];
};

const mostIndexes = 3;
const largestDocument = 4 * 1_048_576;
const layerType = /^application\/vnd\.(oci\.image\.layer\.v1\.tar|docker\.image\.rootfs\.diff\.tar)([+.](gzip|zstd))?$/;

/**
 * Reads the one image of a layout that nobody vouches for: every byte is checked against its digest, no link is followed, and the image is for this machine. Throws
 * OciError.
 */
export async function readLayout(folder: string): Promise<LayoutImage> {
  await requireFolders(folder);
  const index = readJson(ImageIndex, await readSmallFile(join(folder, "index.json")), "index");
  const { image, attestations } = await theImage(folder, index);
  const bytes = await readBlob(folder, image);
  const manifest = readJson(ImageManifest, bytes, "manifest");
  const odd = manifest.layers.find(({ mediaType }) => !layerType.test(mediaType));
  if (odd !== undefined) throw new OciError("invalid", `a layer of the image has the type ${odd.mediaType}`);
  const config = readJson(ImageConfig, await readBlob(folder, manifest.config), "configuration");
  requirePlatform(config, thisPlatform, "the image that was built");
  const blobs = await Promise.all(
    [...manifest.layers, manifest.config].map((descriptor) => sourceOf(folder, descriptor)),
  );
  const bases = (await Promise.all(attestations.map((one) => basesOf(folder, one)))).flat();
  const { digest, mediaType } = image;
  return { digest, mediaType, bytes, blobs, bases: [...new Set(bases)].sort() };
}

/** Real ones: below them nothing is reached through a link. */
export async function requireFolders(folder: string): Promise<void> {
  for (const path of [folder, join(folder, "blobs"), join(folder, "blobs", "sha256")]) {
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) throw new OciError("invalid", "the step left no image");
  }
}

type Index = z.infer<typeof ImageIndex>;

/** Below as many indexes as builders put around each other, one image, and what is said of it. */
async function theImage(folder: string, index: Index) {
  let manifests = index.manifests;
  for (let depth = 0; depth < mostIndexes; depth += 1) {
    const isAttestation = ({ annotations }: Descriptor): boolean =>
      Annotations.safeParse(annotations).data?.["vnd.docker.reference.type"] === "attestation-manifest";
    const attestations = manifests.filter(isAttestation);
    const [image, ...more] = manifests.filter((one) => !isAttestation(one));
    if (image === undefined) throw new OciError("invalid", "there is no image in what was built");
    if (more.length > 0)
      throw new OciError("invalid", "what was built is an image for several platforms: build it for one");
    if (image.mediaType === mediaTypes.manifest || image.mediaType === mediaTypes.dockerManifest)
      return { image, attestations };
    if (image.mediaType !== mediaTypes.index && image.mediaType !== mediaTypes.dockerManifestList)
      throw new OciError("invalid", `what was built has the type ${image.mediaType}`);
    manifests = readJson(ImageIndex, await readBlob(folder, image), "index").manifests;
  }
  throw new OciError("invalid", "the image lies in an index of an index");
}

const Annotations = z.record(z.string(), z.string());
const Sources = z.array(
  z.looseObject({ uri: z.string(), digest: z.looseObject({ sha256: z.string() }).partial().optional() }),
);
const Statement = z.looseObject({
  predicate: z.looseObject({
    materials: Sources.optional(),
    buildDefinition: z.looseObject({ resolvedDependencies: Sources.optional() }).optional(),
  }),
});

/** Of SLSA 0.2 and 1: `pkg:docker/<host>/<name>@<tag>?platform=…`. */
async function basesOf(folder: string, attestation: Descriptor): Promise<string[]> {
  const manifest = readJson(ImageManifest, await readBlob(folder, attestation), "attestation");
  const provenance = manifest.layers.filter(({ annotations }) =>
    /slsa\.dev\/provenance/.test(Annotations.safeParse(annotations).data?.["in-toto.io/predicate-type"] ?? ""),
  );
  const found = await Promise.all(
    provenance.map(async (layer) => {
      const { predicate } = readJson(Statement, await readBlob(folder, layer), "provenance");
      return [...(predicate.materials ?? []), ...(predicate.buildDefinition?.resolvedDependencies ?? [])];
    }),
  );
  return found.flat().flatMap(({ uri, digest }) => {
    const named = /^pkg:(?:docker|oci)\/([^?]+)/.exec(uri)?.[1];
    if (named === undefined || digest?.sha256 === undefined) return [];
    const [name = "", tag] = decodeURIComponent(named).split("@");
    return [`${name}${tag === undefined ? "" : `:${tag}`}@sha256:${digest.sha256}`];
  });
}

function blobPath(folder: string, digest: Digest): string {
  return join(folder, "blobs", "sha256", hexOf(digest));
}

export async function readBlob(folder: string, { digest, size }: Descriptor): Promise<Uint8Array> {
  const bytes = await readSmallFile(blobPath(folder, digest));
  if (bytes.byteLength !== size || digestOf(bytes) !== digest)
    throw new OciError("digest_mismatch", `${digest} has other bytes than its digest says`);
  return bytes;
}

export async function readSmallFile(path: string): Promise<Uint8Array> {
  if ((await sizeOf(path)) > largestDocument) throw new OciError("too_large", "a document of the image is too large");
  return readFile(path);
}

/** Of a file; never what a link leads to. */
async function sizeOf(path: string): Promise<number> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isFile() !== true) throw new OciError("invalid", "a part of the image is missing");
  return found.size;
}

export async function sourceOf(folder: string, { digest, size }: Descriptor): Promise<BlobSource> {
  const path = blobPath(folder, digest);
  const found = await sizeOf(path);
  if (found !== size) throw new OciError("digest_mismatch", `${digest} has ${found} bytes, not ${size}`);
  for await (const _ of hashing(createReadStream(path), (is) => {
    if (is !== digest) throw new OciError("digest_mismatch", `${digest} has other bytes than its digest says`);
  }));
  return { digest, size, open: (from) => createReadStream(path, { start: from }) };
}
