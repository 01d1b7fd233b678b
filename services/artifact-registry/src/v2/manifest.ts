import { mediaTypes } from "@slipway/oci";
import { z } from "zod";
import { isBlobDigest } from "./digest.ts";
import { OciProblem } from "./errors.ts";

const Descriptor = z.looseObject({
  mediaType: z.string().min(1),
  digest: z.string().refine(isBlobDigest, "not a sha256 or sha512 digest"),
  size: z.number().int().nonnegative(),
});
export type Descriptor = z.infer<typeof Descriptor>;

const shared = {
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  subject: Descriptor.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
};
const Image = z.looseObject({ ...shared, config: Descriptor, layers: z.array(Descriptor) });
const Index = z.looseObject({ ...shared, manifests: z.array(Descriptor) });

/** What the registry has to know of a manifest; its bytes stay as they came. */
export type CheckedManifest = {
  readonly mediaType: string;
  readonly blobs: readonly Descriptor[];
  readonly children: readonly string[];
  readonly subject: string | null;
  readonly artifactType: string | null;
  readonly annotations: Readonly<Record<string, string>> | null;
};

const images = new Set<string>([mediaTypes.manifest, mediaTypes.dockerManifest]);
const indexes = new Set<string>([mediaTypes.index, mediaTypes.dockerManifestList]);

/** Layers that are fetched from elsewhere by their own URLs and never pushed. */
const foreign = /\.nondistributable\.|\.foreign\./;

/** Reads a manifest by the media type it was sent as. Throws MANIFEST_INVALID with what is wrong. */
export function checkManifest(bytes: Uint8Array, contentType: string | undefined): CheckedManifest {
  const mediaType = contentType?.split(";")[0]?.trim() ?? "";
  const json = parseJson(bytes);
  if (images.has(mediaType)) {
    const image = parse(Image, json, mediaType);
    const blobs = [image.config, ...image.layers].filter((blob) => !foreign.test(blob.mediaType));
    return {
      ...described(image, mediaType),
      artifactType: image.artifactType ?? image.config.mediaType,
      blobs,
      children: [],
    };
  }
  if (indexes.has(mediaType)) {
    const index = parse(Index, json, mediaType);
    const children = index.manifests.map((child) => child.digest);
    return { ...described(index, mediaType), artifactType: index.artifactType ?? null, blobs: [], children };
  }
  throw new OciProblem("MANIFEST_INVALID", "not a media type of a manifest", { detail: { mediaType } });
}

function described(manifest: z.infer<typeof Image> | z.infer<typeof Index>, mediaType: string) {
  return { mediaType, subject: manifest.subject?.digest ?? null, annotations: manifest.annotations ?? null };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new OciProblem("MANIFEST_INVALID", "the manifest is not JSON", { cause });
  }
}

function parse<T extends { mediaType?: string | undefined }>(shape: z.ZodType<T>, json: unknown, sentAs: string): T {
  const result = shape.safeParse(json);
  if (!result.success) {
    const issues = result.error.issues
      .slice(0, 10)
      .map((issue) => ({ at: issue.path.join("/"), message: issue.message }));
    throw new OciProblem("MANIFEST_INVALID", "the manifest is not of the type it was sent as", { detail: { issues } });
  }
  const { mediaType } = result.data;
  if (mediaType !== undefined && mediaType !== sentAs) {
    throw new OciProblem("MANIFEST_INVALID", "the manifest says it is of another type than it was sent as", {
      detail: { mediaType, sentAs },
    });
  }
  return result.data;
}

/** Whether an Accept header lets a manifest of this type be answered. None accepts everything. */
export function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header.trim() === "") return true;
  const wanted = header.split(",").map((part) => part.split(";")[0]?.trim() ?? "");
  return wanted.some((type) => type === "*/*" || type === mediaType || (type === "application/*" && mediaType !== ""));
}
