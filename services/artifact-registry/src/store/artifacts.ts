import type { Provenance, RunSpec, SlipwayFile } from "@slipway/contracts";
import type { Digest, EnvironmentName, GitSha, Instant, PromotionId, ServiceName } from "@slipway/kernel";
import type { Db, Tx } from "@slipway/sql";
import { sql } from "kysely";
import type { Tables } from "./tables.ts";

type On = Db<Tables> | Tx<Tables>;

export type ArtifactRow = {
  readonly digest: Digest;
  readonly number: number;
  readonly service: ServiceName;
  readonly gitSha: GitSha;
  readonly spec: SlipwayFile | RunSpec;
  readonly provenance: Provenance;
  readonly createdAt: Instant;
};

/** An artifact with where it may run and where it was rolled back. */
export type ArtifactRecord = ArtifactRow & {
  readonly environments: readonly {
    readonly environment: EnvironmentName;
    readonly at: Instant;
    readonly by: string;
  }[];
  readonly badIn: readonly EnvironmentName[];
};

const columns = [
  "digest",
  "number",
  "service",
  "git_sha as gitSha",
  "spec",
  "provenance",
  "created_at as createdAt",
] as const;

export type ArtifactFilter = { readonly service?: ServiceName | undefined; readonly commit?: string | undefined };

/** Newest first, numbers below `before`. */
export async function listArtifacts(
  db: On,
  filter: ArtifactFilter,
  limit: number,
  before?: number,
): Promise<readonly ArtifactRecord[]> {
  let rows = db.selectFrom("artifact").select(columns);
  if (filter.service !== undefined) rows = rows.where("service", "=", filter.service);
  if (filter.commit !== undefined) rows = rows.where("git_sha", "like", `${filter.commit}%` as GitSha);
  if (before !== undefined) rows = rows.where("number", "<", before);
  return withPlaces(db, await rows.orderBy("number", "desc").limit(limit).execute());
}

export async function findArtifact(db: On, digest: Digest): Promise<ArtifactRecord | undefined> {
  const row = await db.selectFrom("artifact").select(columns).where("digest", "=", digest).executeTakeFirst();
  return row === undefined ? undefined : (await withPlaces(db, [row]))[0];
}

/** The same, and everything that changes this artifact waits until the transaction ends. */
export async function lockArtifact(tx: Tx<Tables>, digest: Digest): Promise<ArtifactRecord | undefined> {
  await tx.selectFrom("artifact").select("digest").where("digest", "=", digest).forUpdate().execute();
  return findArtifact(tx, digest);
}

async function withPlaces(db: On, rows: readonly ArtifactRow[]): Promise<readonly ArtifactRecord[]> {
  if (rows.length === 0) return [];
  const digests = rows.map((row) => row.digest);
  const reached = await db
    .selectFrom("artifact_environment")
    .where("digest", "in", digests)
    .select(["digest", "environment", "at", "by"])
    .orderBy("at")
    .execute();
  const bad = await db
    .selectFrom("artifact_bad")
    .where("digest", "in", digests)
    .select(["digest", "environment"])
    .orderBy("at")
    .execute();
  return rows.map((row) => ({
    ...row,
    environments: reached.filter(({ digest }) => digest === row.digest).map(({ digest: _, ...place }) => place),
    badIn: bad.filter(({ digest }) => digest === row.digest).map(({ environment }) => environment),
  }));
}

/** False where the digest is registered already. */
export async function insertArtifact(
  tx: Tx<Tables>,
  artifact: Omit<ArtifactRow, "number"> & { readonly by: string },
): Promise<boolean> {
  const inserted = await tx
    .insertInto("artifact")
    .values({
      digest: artifact.digest,
      service: artifact.service,
      git_sha: artifact.gitSha,
      spec: JSON.stringify(artifact.spec),
      provenance: JSON.stringify(artifact.provenance),
      registered_by: artifact.by,
      created_at: artifact.createdAt,
    })
    .onConflict((oc) => oc.doNothing())
    .returning("digest")
    .executeTakeFirst();
  return inserted !== undefined;
}

export async function setProvenance(tx: Tx<Tables>, digest: Digest, provenance: Provenance): Promise<void> {
  await tx
    .updateTable("artifact")
    .set({ provenance: JSON.stringify(provenance) })
    .where("digest", "=", digest)
    .execute();
}

/** Another configuration of the same image. */
export async function revise(tx: Tx<Tables>, digest: Digest, spec: RunSpec, provenance: Provenance): Promise<void> {
  await tx
    .updateTable("artifact")
    .set({ spec: JSON.stringify(spec), provenance: JSON.stringify(provenance) })
    .where("digest", "=", digest)
    .execute();
}

export async function leaveEnvironments(
  tx: Tx<Tables>,
  digest: Digest,
  environments: readonly EnvironmentName[],
): Promise<void> {
  if (environments.length === 0) return;
  const rows = tx.deleteFrom("artifact_environment").where("digest", "=", digest);
  await rows.where("environment", "in", [...environments]).execute();
}

export async function addEnvironment(
  tx: Tx<Tables>,
  place: {
    readonly digest: Digest;
    readonly environment: EnvironmentName;
    readonly by: string;
    readonly at: Instant;
    readonly promotion: PromotionId | null;
  },
): Promise<void> {
  await tx
    .insertInto("artifact_environment")
    .values(place)
    .onConflict((oc) => oc.doNothing())
    .execute();
}

/** False where it was marked in that environment before. */
export async function addBad(
  tx: Tx<Tables>,
  bad: {
    readonly digest: Digest;
    readonly environment: EnvironmentName;
    readonly deployment: string;
    readonly reason: string;
    readonly at: Instant;
  },
): Promise<boolean> {
  const inserted = await tx
    .insertInto("artifact_bad")
    .values(bad)
    .onConflict((oc) => oc.doNothing())
    .returning("digest")
    .executeTakeFirst();
  return inserted !== undefined;
}

export type PromotionRow = {
  readonly id: PromotionId;
  readonly digest: Digest;
  readonly environment: EnvironmentName;
  readonly open: boolean;
};

const promotionColumns = ["id", "digest", "environment", "open"] as const;

export function findPromotion(db: On, id: PromotionId): Promise<PromotionRow | undefined> {
  return db.selectFrom("promotion").select(promotionColumns).where("id", "=", id).executeTakeFirst();
}

/** Oldest first. */
export function promotionsOf(db: On, digest: Digest): Promise<readonly PromotionRow[]> {
  return db.selectFrom("promotion").select(promotionColumns).where("digest", "=", digest).orderBy("number").execute();
}

export async function insertPromotion(
  tx: Tx<Tables>,
  promotion: Omit<PromotionRow, "id"> & { readonly number: number; readonly createdAt: Instant },
): Promise<void> {
  const { number, digest, environment, open, createdAt } = promotion;
  const id = promotionId(number);
  await tx.insertInto("promotion").values({ number, id, digest, environment, open, created_at: createdAt }).execute();
}

export async function closePromotion(tx: Tx<Tables>, id: PromotionId): Promise<void> {
  await tx.updateTable("promotion").set({ open: false }).where("id", "=", id).execute();
}

/** Numbers may have gaps. */
export async function nextPromotion(tx: Tx<Tables>): Promise<number> {
  const { rows } = await sql<{ number: number }>`select nextval('promotion_number') as number`.execute(tx);
  const row = rows[0];
  if (row === undefined) throw new Error("a sequence gave no number");
  return row.number;
}

export function promotionId(number: number): PromotionId {
  return `P-${number}` as PromotionId;
}

/** What a deployment does with a digest; a later word replaces an earlier one, never the other way round. */
export async function upsertPin(
  tx: Tx<Tables>,
  pin: {
    readonly digest: Digest;
    readonly deployment: string;
    readonly service: ServiceName;
    readonly environment: EnvironmentName;
    readonly phase: string;
    readonly at: Instant;
  },
): Promise<void> {
  await tx
    .insertInto("pin")
    .values(pin)
    .onConflict((oc) =>
      oc.columns(["digest", "deployment"]).doUpdateSet({ phase: pin.phase, at: pin.at }).where("pin.at", "<=", pin.at),
    )
    .execute();
}
