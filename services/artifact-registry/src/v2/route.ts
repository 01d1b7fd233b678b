import { isRepository, isTag } from "@slipway/oci";
import { isBlobDigest } from "./digest.ts";
import { OciProblem } from "./errors.ts";

/** What a path under /v2/ names. Repository names hold slashes, so the path is read from its end. */
export type Route =
  | { readonly kind: "base" }
  | { readonly kind: "blob"; readonly repository: string; readonly digest: string }
  | { readonly kind: "uploads"; readonly repository: string }
  | { readonly kind: "upload"; readonly repository: string; readonly id: string }
  | { readonly kind: "manifest"; readonly repository: string; readonly reference: string }
  | { readonly kind: "tags"; readonly repository: string }
  | { readonly kind: "referrers"; readonly repository: string; readonly digest: string };

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Reads the path after `/v2/`, without its query. Throws OciProblem for names that are not allowed; undefined = no such route. */
export function parseRoute(path: string): Route | undefined {
  if (path === "") return { kind: "base" };
  const decoded = decode(path);
  const shapes: readonly [RegExp, (repository: string, rest: string) => Route][] = [
    [/^(.+)\/blobs\/uploads\/?()$/, (repository) => ({ kind: "uploads", repository })],
    [/^(.+)\/blobs\/uploads\/([^/]+)$/, (repository, id) => ({ kind: "upload", repository, id: uploadId(id) })],
    [/^(.+)\/blobs\/([^/]+)$/, (repository, digest) => ({ kind: "blob", repository, digest: blobDigest(digest) })],
    [
      /^(.+)\/manifests\/([^/]+)$/,
      (repository, name) => ({ kind: "manifest", repository, reference: reference(name) }),
    ],
    [/^(.+)\/tags\/list()$/, (repository) => ({ kind: "tags", repository })],
    [
      /^(.+)\/referrers\/([^/]+)$/,
      (repository, digest) => ({ kind: "referrers", repository, digest: blobDigest(digest) }),
    ],
  ];
  for (const [shape, build] of shapes) {
    const [, repository, rest] = shape.exec(decoded) ?? [];
    if (repository === undefined || rest === undefined) continue;
    if (!isRepository(repository)) {
      throw new OciProblem("NAME_INVALID", "the repository's name is not allowed", { detail: { name: repository } });
    }
    return build(repository, rest);
  }
  return undefined;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new OciProblem("NAME_INVALID", "the path could not be decoded");
  }
}

function blobDigest(text: string): string {
  if (isBlobDigest(text)) return text;
  throw new OciProblem("DIGEST_INVALID", "not a sha256 or sha512 digest", { detail: { digest: text.slice(0, 200) } });
}

function uploadId(text: string): string {
  if (uuid.test(text)) return text;
  throw new OciProblem("BLOB_UPLOAD_UNKNOWN", "there is no such upload");
}

/** A tag or a digest. What can be neither is unknown to readers and invalid to writers; both read the code alike. */
function reference(text: string): string {
  if (text.includes(":")) return blobDigest(text);
  if (isTag(text)) return text;
  throw new OciProblem("TAG_INVALID", "not a tag: at most 128 of A-Z a-z 0-9 _ . -", {
    detail: { tag: text.slice(0, 200) },
  });
}
