import type { Digest } from "@slipway/kernel";
import { OciError } from "./errors.ts";

const repositoryPattern = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** True for a repository name of the distribution specification (at most 255 characters). */
export function isRepository(name: string): boolean {
  return name.length <= 255 && repositoryPattern.test(name);
}

export function isTag(tag: string): boolean {
  return tagPattern.test(tag);
}

export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

export type ImageReference = { readonly host: string; readonly repository: string; readonly digest: Digest };

/** Reads `<host>/<repository>@sha256:<hex>`. A reference by tag is refused: what runs is always named by its digest. */
export function parseImageReference(image: string): ImageReference {
  const match = /^([^/@]+)\/([^@]+)@(.+)$/.exec(image);
  const [, host, repository, digest] = match ?? [];
  if (host === undefined || repository === undefined || digest === undefined) {
    throw new OciError("invalid", `not an image by digest: ${image}`);
  }
  if (!/^[A-Za-z0-9.:[\]-]+$/.test(host) || !isRepository(repository) || !isDigest(digest)) {
    throw new OciError("invalid", `not an image by digest: ${image}`);
  }
  return { host, repository, digest };
}
