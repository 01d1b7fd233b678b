import type { Digest, Instant } from "@slipway/kernel";
import { z } from "zod";

/** Media types of the OCI image specification 1.1 and the Docker ones that are read all the same. */
export const mediaTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  plainLayer: "application/vnd.oci.image.layer.v1.tar",
  empty: "application/vnd.oci.empty.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
} as const;

const sha256 = z.string().regex(/^sha256:[0-9a-f]{64}$/) as unknown as z.ZodType<Digest, string>;

export const Descriptor = z.looseObject({
  mediaType: z.string().min(1),
  digest: sha256,
  size: z.number().int().nonnegative(),
});
export type Descriptor = z.infer<typeof Descriptor>;

/** An image manifest as far as running the image needs it. */
export const ImageManifest = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: Descriptor,
  layers: z.array(Descriptor),
});
export type ImageManifest = z.infer<typeof ImageManifest>;

/** An image for several platforms: one manifest for each. */
export const ImageIndex = z.looseObject({
  manifests: z.array(
    Descriptor.extend({
      platform: z.looseObject({ architecture: z.string(), os: z.string(), variant: z.string().optional() }).optional(),
    }),
  ),
});
export type ImageIndex = z.infer<typeof ImageIndex>;

/** The part of an image's configuration that says how to start it. */
export const ImageConfig = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  config: z
    .looseObject({
      Entrypoint: z.array(z.string()).nullish(),
      Cmd: z.array(z.string()).nullish(),
      Env: z.array(z.string()).nullish(),
      WorkingDir: z.string().nullish(),
      User: z.string().nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    })
    .prefault({}),
  rootfs: z.looseObject({ type: z.literal("layers"), diff_ids: z.array(sha256) }),
});
export type ImageConfig = z.infer<typeof ImageConfig>;

/** A manifest as the registry holds it: its bytes are what the digest is of. */
export type StoredManifest = { readonly digest: Digest; readonly mediaType: string; readonly bytes: Uint8Array };

/** Bytes that can be read again, from any offset: what a push needs to be able to retry and to resume. */
export type BlobSource = {
  readonly digest: Digest;
  readonly size: number;
  open(from: number): AsyncIterable<Uint8Array>;
};

/** A compressed layer on this machine's disk. `diffId` is the digest of the tar inside. */
export type Layer = {
  readonly digest: Digest;
  readonly diffId: Digest;
  readonly size: number;
  readonly mediaType: string;
  readonly path: string;
};

/** A layer that another registry has: its bytes are fetched when somebody reads them. */
export type RemoteLayer = Omit<Layer, "path"> & { open(from: number): AsyncIterable<Uint8Array> };
export type BaseLayer = Layer | RemoteLayer;

/** Files that become a layer: `copy` are paths inside `dir` (files or whole folders), placed under `at` in the image. */
export type LayerFiles = {
  readonly dir: string;
  readonly copy: readonly string[];
  readonly at: string;
  /** Files and links (by their path inside `dir`) that are left out, and with them folders of which nothing is left. */
  readonly omit?: (path: string) => Promise<boolean>;
};

export type ImageRequest = {
  /** Layers to stand on, lowest first; empty for an image from scratch. */
  readonly base: readonly BaseLayer[];
  /** A repository of the same registry that has the base layers already: they are mounted, not sent. */
  readonly mountFrom?: string;
  readonly files: LayerFiles;
  /** What stands before every command. */
  readonly entrypoint?: readonly string[];
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** `uid[:gid]`, default 65534:65534. */
  readonly user?: string;
  /** The commit's time: the same commit gives the same digest. */
  readonly createdAt: Instant;
  readonly labels?: Readonly<Record<string, string>>;
  readonly repository: string;
  /** Tag to put the manifest under; by digest only when absent. */
  readonly tag?: string;
  /** Folder in which compressed layers are kept by the content of their tar. */
  readonly cacheDir: string;
  readonly signal?: AbortSignal;
};

export type WrittenImage = {
  readonly digest: Digest;
  readonly size: number;
  /** What was sent and what the registry had already. */
  readonly blobs: { readonly uploaded: number; readonly mounted: number; readonly present: number };
};

/** An image unpacked on this machine. `root` is shared by everybody who runs this digest: never write into it. */
export type UnpackedImage = {
  readonly digest: Digest;
  readonly root: string;
  /** Entrypoint and command, as one argument vector. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly user: string;
};

/** Caps of one image, against archives that unpack to more than a disk holds. */
export type UnpackLimits = {
  readonly entries: number;
  readonly bytes: number;
  readonly fileBytes: number;
  readonly layers: number;
};
