import { type Db, jsonText, type Tx } from "@slipway/sql";
import { sql } from "kysely";
import type { CheckedManifest } from "../v2/manifest.ts";
import type { Tables, UploadChunk } from "./tables.ts";

type On = Db<Tables> | Tx<Tables>;

export function findBlob(db: On, repository: string, digest: string): Promise<{ size: number } | undefined> {
  return db
    .selectFrom("repository_blob as r")
    .innerJoin("blob as b", "b.digest", "r.digest")
    .where("r.repository", "=", repository)
    .where("r.digest", "=", digest)
    .select("b.size")
    .executeTakeFirst();
}

/** Whether the bytes are in the store already, whatever repository they came by. */
export async function isStored(db: On, digest: string): Promise<boolean> {
  return (await db.selectFrom("blob").where("digest", "=", digest).select("digest").executeTakeFirst()) !== undefined;
}

/** Makes a stored blob visible in a repository. */
export async function addBlob(db: Db<Tables>, repository: string, digest: string, size: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx
      .insertInto("blob")
      .values({ digest, size })
      .onConflict((oc) => oc.doNothing())
      .execute();
    await linkBlob(tx, repository, digest);
  });
}

export async function linkBlob(db: On, repository: string, digest: string): Promise<void> {
  await db
    .insertInto("repository_blob")
    .values({ repository, digest })
    .onConflict((oc) => oc.doNothing())
    .execute();
}

export async function createUpload(db: On, id: string, repository: string): Promise<void> {
  await db.insertInto("upload").values({ id, repository }).execute();
}

export type Upload = { readonly id: string; readonly received: number; readonly chunks: readonly UploadChunk[] };

export function findUpload(db: On, repository: string, id: string): Promise<Upload | undefined> {
  return db
    .selectFrom("upload")
    .where("id", "=", id)
    .where("repository", "=", repository)
    .select(["id", "received", "chunks"])
    .executeTakeFirst();
}

/** Adds a chunk where the upload still is at `at`; false where another request was faster. */
export async function appendChunk(db: On, id: string, at: number, chunk: UploadChunk): Promise<boolean> {
  const added = JSON.stringify([chunk]);
  const { numAffectedRows } = await sql`
    update upload
       set received = received + ${chunk.size}, chunks = chunks || ${added}::jsonb, updated_at = clock_timestamp()
     where id = ${id} and received = ${at}`.execute(db);
  return numAffectedRows === 1n;
}

/** Uploads that nobody has gone on with, the longest idle first. */
export function uploadsIdleFor(db: On, idleMs: number, limit: number): Promise<Upload[]> {
  return db
    .selectFrom("upload")
    .where(idleFor(idleMs))
    .orderBy("updated_at")
    .limit(limit)
    .select(["id", "received", "chunks"])
    .execute();
}

/**
 * Takes the upload away and answers the chunks that it had at that moment; undefined where somebody else has taken it away. `idleMs`: only one that nobody has gone on with
 * for so long.
 */
export async function removeUpload(db: On, id: string, idleMs = 0): Promise<readonly UploadChunk[] | undefined> {
  const removed = await db
    .deleteFrom("upload")
    .where("id", "=", id)
    .where(idleFor(idleMs))
    .returning("chunks")
    .executeTakeFirst();
  return removed?.chunks;
}

/** Of these ids, those of uploads that are there. */
export async function knownUploads(db: On, ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const rows = await db
    .selectFrom("upload")
    .where(sql<string>`id::text`, "in", [...ids])
    .select("id")
    .execute();
  return new Set(rows.map(({ id }) => id));
}

const idleFor = (idleMs: number) => sql<boolean>`updated_at <= clock_timestamp() - ${idleMs}::bigint * interval '1 ms'`;

export type ManifestRow = { readonly digest: string; readonly mediaType: string; readonly bytes: Buffer };

export function findManifest(db: On, repository: string, reference: string): Promise<ManifestRow | undefined> {
  const columns = ["m.digest", "m.media_type as mediaType", "m.bytes"] as const;
  const rows = db.selectFrom("manifest as m").where("m.repository", "=", repository);
  if (reference.includes(":")) return rows.where("m.digest", "=", reference).select(columns).executeTakeFirst();
  return rows
    .innerJoin("tag as t", (join) => join.onRef("t.repository", "=", "m.repository").onRef("t.digest", "=", "m.digest"))
    .where("t.name", "=", reference)
    .select(columns)
    .executeTakeFirst();
}

/** Which of these blobs the repository has, with their sizes. */
export async function knownBlobs(db: On, repository: string, digests: readonly string[]): Promise<Map<string, number>> {
  if (digests.length === 0) return new Map();
  const rows = await db
    .selectFrom("repository_blob as r")
    .innerJoin("blob as b", "b.digest", "r.digest")
    .where("r.repository", "=", repository)
    .where("r.digest", "in", [...digests])
    .select(["b.digest", "b.size"])
    .execute();
  return new Map(rows.map((row) => [row.digest, row.size]));
}

export async function knownManifests(db: On, repository: string, digests: readonly string[]): Promise<Set<string>> {
  if (digests.length === 0) return new Set();
  const rows = await db
    .selectFrom("manifest")
    .where("repository", "=", repository)
    .where("digest", "in", [...digests])
    .select("digest")
    .execute();
  return new Set(rows.map((row) => row.digest));
}

export async function insertManifest(
  tx: Tx<Tables>,
  repository: string,
  digest: string,
  bytes: Uint8Array,
  checked: CheckedManifest,
): Promise<void> {
  await tx
    .insertInto("manifest")
    .values({
      repository,
      digest,
      bytes: Buffer.from(bytes),
      media_type: checked.mediaType,
      artifact_type: checked.artifactType,
      subject: checked.subject,
      annotations: checked.annotations === null ? null : jsonText(checked.annotations),
    })
    .onConflict((oc) => oc.doNothing())
    .execute();
  const blobs = [...new Set(checked.blobs.map((blob) => blob.digest))];
  const children = [...new Set(checked.children)];
  const of = { repository, manifest: digest };
  if (blobs.length > 0) {
    const rows = blobs.map((blob) => ({ ...of, blob }));
    await tx
      .insertInto("manifest_blob")
      .values(rows)
      .onConflict((oc) => oc.doNothing())
      .execute();
  }
  if (children.length > 0) {
    const rows = children.map((child) => ({ ...of, child }));
    await tx
      .insertInto("manifest_child")
      .values(rows)
      .onConflict((oc) => oc.doNothing())
      .execute();
  }
}

/** Sets a tag and answers what it stood for before. A second writer of the same tag waits for the first. */
export async function putTag(
  tx: Tx<Tables>,
  tag: { readonly repository: string; readonly name: string; readonly digest: string; readonly by: string },
): Promise<{ readonly kind: "new" } | { readonly kind: "same" } | { readonly kind: "other"; readonly digest: string }> {
  const inserted = await tx
    .insertInto("tag")
    .values(tag)
    .onConflict((oc) => oc.doNothing())
    .returning("digest")
    .executeTakeFirst();
  if (inserted !== undefined) return { kind: "new" };
  const { digest } = await tx
    .selectFrom("tag")
    .where("repository", "=", tag.repository)
    .where("name", "=", tag.name)
    .select("digest")
    .forUpdate()
    .executeTakeFirstOrThrow();
  return digest === tag.digest ? { kind: "same" } : { kind: "other", digest };
}

export async function moveTag(
  tx: Tx<Tables>,
  tag: { readonly repository: string; readonly name: string; readonly digest: string; readonly by: string },
): Promise<void> {
  await tx
    .updateTable("tag")
    .set({ digest: tag.digest, by: tag.by, at: sql`clock_timestamp()` })
    .where("repository", "=", tag.repository)
    .where("name", "=", tag.name)
    .execute();
}

/** Tags after `last` in byte order. */
export async function listTags(db: On, repository: string, last: string, limit: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("tag")
    .where("repository", "=", repository)
    .where("name", ">", last)
    .select("name")
    .orderBy("name")
    .limit(limit)
    .execute();
  return rows.map((row) => row.name);
}

export async function repositoryExists(db: On, repository: string): Promise<boolean> {
  const found = await db
    .selectFrom("repository_blob")
    .where("repository", "=", repository)
    .select("digest")
    .unionAll(db.selectFrom("manifest").where("repository", "=", repository).select("digest"))
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

export type Referrer = {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType: string | null;
  readonly annotations: Record<string, string> | null;
};

export async function listReferrers(
  db: On,
  repository: string,
  subject: string,
  artifactType: string | undefined,
  limit: number,
): Promise<readonly Referrer[]> {
  let rows = db.selectFrom("manifest").where("repository", "=", repository).where("subject", "=", subject);
  if (artifactType !== undefined) rows = rows.where("artifact_type", "=", artifactType);
  return await rows
    .select(["digest", "media_type as mediaType", "artifact_type as artifactType", "annotations"])
    .select(sql<number>`octet_length(bytes)`.as("size"))
    .orderBy("created_at")
    .orderBy("digest")
    .limit(limit)
    .execute();
}
