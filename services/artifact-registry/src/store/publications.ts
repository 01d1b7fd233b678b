import type { Instant } from "@slipway/kernel";
import type { Db, Tx } from "@slipway/sql";
import { sql } from "kysely";
import type { Publication, PublicationRequest } from "../domain/publication.ts";
import type { Tables } from "./tables.ts";

type On = Db<Tables> | Tx<Tables>;

const kind = "publication";

/** Why one waits that has nothing wrong. */
export const othersFirst = "others before it";

/** How one is doing. */
export type PublicationRecord = {
  readonly image: string;
  readonly state: Publication;
  readonly bytesTotal: number | null;
  readonly bytesCopied: number;
  /** What keeps it from being copied now. */
  readonly lastReason: string | null;
};

/** False where it is known already. */
export async function insertPublication(tx: Tx<Tables>, request: PublicationRequest): Promise<boolean> {
  const { image, digest, service, host, repository, requestedAt } = request;
  const inserted = await tx
    .insertInto("publication")
    .values({ image, digest, service, host, repository, created_at: requestedAt })
    .onConflict((oc) => oc.doNothing())
    .returning("image")
    .executeTakeFirst();
  return inserted !== undefined;
}

export async function findPublications(db: On, images: readonly string[]): Promise<readonly PublicationRecord[]> {
  if (images.length === 0) return [];
  const reason = sql<string | null>`(
    select last_reason from command c where c.kind = ${kind} and c.id = publication.image order by seq limit 1)`;
  return await db
    .selectFrom("publication")
    .innerJoin("machine", (join) => join.onRef("machine.id", "=", "publication.image").on("machine.kind", "=", kind))
    .where("publication.image", "in", [...images])
    .select(["publication.image", "machine.state", "bytes_total as bytesTotal", "bytes_copied as bytesCopied"])
    .select(reason.as("lastReason"))
    .execute();
}

/** What keeps images from being copied to that registry: of those under way, and of those that have failed since one was last taken there. The newest first. */
export async function publicationTrouble(db: On, host: string, limit: number): Promise<readonly string[]> {
  const { rows } = await sql<{ reason: string }>`
    select coalesce(m.state ->> 'reason', c.last_reason) as reason
      from machine m left join command c on c.kind = m.kind and c.id = m.id
     where m.kind = ${kind} and m.phase in ('copying', 'failed') and m.state -> 'request' ->> 'host' = ${host}
       and coalesce(m.state ->> 'reason', c.last_reason, ${othersFirst}) <> ${othersFirst}
       and (m.phase = 'copying' or (m.state ->> 'endedAt')::timestamptz > coalesce(
         (select max(published_at) from publication where host = ${host}), '-infinity'))
     order by m.updated_at desc limit ${limit}`.execute(db);
  return [...new Set(rows.map(({ reason }) => reason))];
}

export async function noteSent(db: On, image: string, total: number, copied: number): Promise<void> {
  await db
    .updateTable("publication")
    .set({ bytes_total: total, bytes_copied: copied })
    .where("image", "=", image)
    .execute();
}

export async function notePublished(db: On, image: string, at: Instant): Promise<void> {
  const first = sql<Instant>`coalesce(published_at, ${at}::timestamptz)`;
  await db.updateTable("publication").set({ published_at: first }).where("image", "=", image).execute();
}

/** Another repository of that registry which has been sent this blob. */
export async function repositoryWith(
  db: On,
  blob: string,
  { host, repository }: Pick<PublicationRequest, "host" | "repository">,
): Promise<string | undefined> {
  const row = await db
    .selectFrom("manifest_blob as b")
    .innerJoin("publication as p", (join) =>
      join.onRef("p.digest", "=", "b.manifest").onRef("p.service", "=", "b.repository"),
    )
    .where("b.blob", "=", blob)
    .where("p.host", "=", host)
    .where("p.repository", "!=", repository)
    .where("p.published_at", "is not", null)
    .orderBy("p.published_at", "desc")
    .select("p.repository")
    .limit(1)
    .executeTakeFirst();
  return row?.repository;
}
