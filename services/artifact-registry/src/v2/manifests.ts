import { appendAudit } from "@slipway/durable";
import { isTag } from "@slipway/oci";
import type { Tx } from "@slipway/sql";
import { findManifest, insertManifest, knownBlobs, knownManifests, moveTag, putTag } from "../store/images.ts";
import type { Tables } from "../store/tables.ts";
import { readAll } from "./bytes.ts";
import { algorithmOf, digestOf } from "./digest.ts";
import { OciProblem } from "./errors.ts";
import type { Answer, Exchange, Registry } from "./exchange.ts";
import { accepts, type CheckedManifest, checkManifest } from "./manifest.ts";

const maxManifestBytes = 4 * 1024 * 1024;
const maxTags = 50;

/** A tag that is a commit never moves: what was built of it and promoted is what it names. Other tags are for people. */
const immutableTag = /^[0-9a-f]{40}$/;

type Named = { readonly repository: string; readonly reference: string };

export async function readManifest(registry: Registry, exchange: Exchange, named: Named): Promise<Answer> {
  const { repository, reference } = named;
  const found = await findManifest(registry.db, repository, reference);
  if (found === undefined || !accepts(exchange.headers.accept, found.mediaType)) {
    const why =
      found === undefined ? "there is no such manifest" : `the manifest is ${found.mediaType}, which is not accepted`;
    throw new OciProblem("MANIFEST_UNKNOWN", why, { detail: { name: repository, reference } });
  }
  const headers = {
    "content-type": found.mediaType,
    "content-length": String(found.bytes.byteLength),
    "docker-content-digest": found.digest,
    etag: `"${found.digest}"`,
  };
  return exchange.method === "HEAD" ? { status: 200, headers } : { status: 200, headers, body: found.bytes };
}

/** PUT: accepted only when everything it needs is there, under a tag only when the tag is free or stands for the same. */
export async function writeManifest(registry: Registry, exchange: Exchange, named: Named): Promise<Answer> {
  const { repository, reference } = named;
  const bytes = await readAll(exchange.body, maxManifestBytes);
  const digest = promisedDigest(bytes, reference, exchange.query.get("digest"));
  const tags = tagsOf(reference, exchange.query);
  const mediaType = exchange.headers["content-type"];
  const checked = await storeManifest(registry, { repository, digest, mediaType, bytes, tags, by: exchange.by });
  return {
    status: 201,
    headers: {
      location: `/v2/${repository}/manifests/${digest}`,
      "docker-content-digest": digest,
      ...(reference.includes(":") && tags.length > 0 ? { "oci-tag": [...tags] } : {}),
      ...(checked.subject === null ? {} : { "oci-subject": checked.subject }),
    },
  };
}

/** Keeps a manifest whose digest was verified, under its tags. Throws what is wrong with it, or missing. */
export async function storeManifest(
  registry: Registry,
  manifest: {
    readonly repository: string;
    readonly digest: string;
    readonly mediaType: string | undefined;
    readonly bytes: Uint8Array;
    readonly tags: readonly string[];
    readonly by: string;
  },
): Promise<CheckedManifest> {
  const { repository, digest, bytes, tags, by } = manifest;
  const checked = checkManifest(bytes, manifest.mediaType);
  await refuseMissing(registry, repository, checked);
  await registry.db.transaction().execute(async (tx) => {
    await insertManifest(tx, repository, digest, bytes, checked);
    for (const name of tags) await setTag(registry, tx, { repository, name, digest, by });
  });
  return checked;
}

/** A manifest put by its digest may name its tags in the query (a draft of the specification). In one order, against deadlocks. */
function tagsOf(reference: string, query: URLSearchParams): readonly string[] {
  const tags = reference.includes(":") ? [...new Set(query.getAll("tag"))].sort() : [reference];
  const wrong = tags.find((tag) => !isTag(tag));
  if (wrong !== undefined) throw new OciProblem("TAG_INVALID", "not a tag", { detail: { tag: wrong.slice(0, 200) } });
  if (tags.length > maxTags) throw new OciProblem("TAG_INVALID", `more than ${maxTags} tags at once`);
  return tags;
}

function promisedDigest(bytes: Uint8Array, reference: string, asked: string | null): string {
  const promised = reference.includes(":") ? reference : asked;
  const digest = digestOf(bytes, algorithmOf(promised ?? ""));
  if (promised !== null && promised !== digest) {
    throw new OciProblem("DIGEST_INVALID", "the manifest has another digest", {
      detail: { digest: promised, found: digest },
    });
  }
  return digest;
}

async function refuseMissing(registry: Registry, repository: string, checked: CheckedManifest): Promise<void> {
  const blobs = await knownBlobs(
    registry.db,
    repository,
    checked.blobs.map((blob) => blob.digest),
  );
  const children = await knownManifests(registry.db, repository, checked.children);
  const missing = [
    ...checked.blobs.map((blob) => blob.digest).filter((digest) => !blobs.has(digest)),
    ...checked.children.filter((digest) => !children.has(digest)),
  ];
  if (missing.length > 0) {
    throw new OciProblem("MANIFEST_BLOB_UNKNOWN", "the manifest needs what the repository does not have", {
      detail: { missing: missing.slice(0, 20) },
    });
  }
  const wrong = checked.blobs.find((blob) => blobs.get(blob.digest) !== blob.size);
  if (wrong !== undefined) {
    throw new OciProblem("MANIFEST_INVALID", "a blob has another size than the manifest says", {
      detail: { digest: wrong.digest, size: wrong.size, found: blobs.get(wrong.digest) },
    });
  }
}

async function setTag(
  registry: Registry,
  tx: Tx<Tables>,
  tag: { readonly repository: string; readonly name: string; readonly digest: string; readonly by: string },
): Promise<void> {
  const before = await putTag(tx, tag);
  if (before.kind === "same") return;
  if (before.kind === "other") {
    if (immutableTag.test(tag.name)) {
      throw new OciProblem("DENIED", "the tag is a commit and never moves", {
        status: 409,
        detail: { tag: tag.name, stands_for: before.digest, refused: tag.digest },
      });
    }
    await moveTag(tx, tag);
  }
  await appendAudit(tx, {
    actor: tag.by,
    action: before.kind === "new" ? "image.tagged" : "image.tag_moved",
    subject: `${tag.repository}:${tag.name}`,
    detail: {
      service: tag.repository,
      digest: tag.digest,
      ...(before.kind === "other" ? { before: before.digest } : {}),
    },
    at: registry.clock.now(),
  });
}
