import type { Digest } from "@slipway/kernel";
import type { z } from "zod";
import type { RegistryClient } from "./client.ts";
import { OciError } from "./errors.ts";
import { ImageConfig, ImageManifest } from "./types.ts";

const maxConfigBytes = 4 * 1024 * 1024;

/** The manifest and the configuration of an image by its digest. */
export async function fetchImage(request: {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly digest: Digest;
  readonly signal?: AbortSignal;
}): Promise<{ readonly manifest: ImageManifest; readonly config: ImageConfig }> {
  const { client, repository, digest } = request;
  const options = request.signal === undefined ? {} : { signal: request.signal };
  const stored = await client.getManifest(repository, digest, options);
  if (stored === undefined) throw new OciError("not_found", `there is no image ${repository}@${digest}`);
  const manifest = readJson(ImageManifest, stored.bytes, "manifest");
  if (manifest.config.size > maxConfigBytes) throw new OciError("too_large", "the image's configuration is too large");
  const parts: Uint8Array[] = [];
  for await (const part of await client.getBlob(repository, manifest.config.digest, options)) parts.push(part);
  return { manifest, config: readJson(ImageConfig, Buffer.concat(parts), "configuration") };
}

export function readJson<T>(shape: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  try {
    return shape.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (cause) {
    throw new OciError("invalid", `the image's ${what} could not be read`, { cause });
  }
}
