import type { BuildId, GitSha, Instant, ServiceName } from "@slipway/kernel";
import { type Db, forgetRows, type Tx } from "@slipway/sql";
import { sql } from "kysely";
import type { BuildState } from "./domain/state.ts";
import type { BuildTables } from "./tables.ts";

/** Everything that this service asks its database outside of durable and the log. */
export type RepositoryRow = {
  readonly service: ServiceName;
  readonly url: string;
  readonly matchKey: string;
  readonly secret: string;
};

type Reader = Db<BuildTables> | Tx<BuildTables>;

export async function saveRepository(tx: Tx<BuildTables>, row: RepositoryRow, now: Instant): Promise<void> {
  const values = { url: row.url, match_key: row.matchKey, secret: row.secret, updated_at: now };
  await tx
    .insertInto("repository")
    .values({ service: row.service, ...values })
    .onConflict((conflict) => conflict.column("service").doUpdateSet(values))
    .execute();
}

/** Answers what was forgotten. */
export async function forgetRepository(tx: Tx<BuildTables>, service: ServiceName): Promise<RepositoryRow | undefined> {
  const row = await tx.deleteFrom("repository").where("service", "=", service).returningAll().executeTakeFirst();
  return row === undefined ? undefined : toRepository(row);
}

export async function repositoryOf(db: Reader, service: ServiceName): Promise<RepositoryRow | undefined> {
  const row = await db.selectFrom("repository").selectAll().where("service", "=", service).executeTakeFirst();
  return row === undefined ? undefined : toRepository(row);
}

/** Services whose repository is known. */
export async function registeredServices(db: Reader): Promise<readonly string[]> {
  const rows = await db.selectFrom("repository").select("service").execute();
  return rows.map(({ service }) => service);
}

/** By service, from the one after so many on. */
export async function findRepositories(
  db: Reader,
  { service, from, limit }: { service: ServiceName | undefined; from: number; limit: number },
): Promise<readonly (RepositoryRow & { readonly updatedAt: Instant })[]> {
  let query = db.selectFrom("repository").selectAll().orderBy("service").offset(from).limit(limit);
  if (service !== undefined) query = query.where("service", "=", service);
  return (await query.execute()).map((row) => ({ ...toRepository(row), updatedAt: row.updated_at }));
}

/** The repository that one of these keys names. */
export async function repositoryByKeys(db: Reader, keys: readonly string[]): Promise<RepositoryRow | undefined> {
  if (keys.length === 0) return undefined;
  const row = await db.selectFrom("repository").selectAll().where("match_key", "in", keys).executeTakeFirst();
  return row === undefined ? undefined : toRepository(row);
}

function toRepository(row: BuildTables["repository"]): RepositoryRow {
  return { service: row.service as ServiceName, url: row.url, matchKey: row.match_key, secret: row.secret };
}

export type Answer = { readonly status: number; readonly body: Record<string, unknown> };

export type Delivery = {
  readonly service: ServiceName;
  readonly deliveryId: string;
  readonly bodyHash: string;
  readonly event: string;
};

/** One delivery of a service is looked at at a time, until the end of the transaction. */
export async function lockDeliveries(tx: Tx<BuildTables>, service: ServiceName): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('delivery ' || ${service}, 0))`.execute(tx);
}

/** The answer that this delivery got before, by its id or, since the id is not signed, by its body. */
export async function earlierAnswer(tx: Tx<BuildTables>, delivery: Delivery): Promise<Answer | undefined> {
  const row = await tx
    .selectFrom("delivery")
    .select(["status", "answer"])
    .where("service", "=", delivery.service)
    .where((where) =>
      where.or([where("delivery_id", "=", delivery.deliveryId), where("body_sha256", "=", delivery.bodyHash)]),
    )
    .orderBy("received_at")
    .executeTakeFirst();
  return row === undefined ? undefined : { status: row.status, body: row.answer };
}

export async function saveDelivery(
  tx: Tx<BuildTables>,
  delivery: Delivery,
  answer: Answer,
  now: Instant,
): Promise<void> {
  await tx
    .insertInto("delivery")
    .values({
      service: delivery.service,
      delivery_id: delivery.deliveryId,
      body_sha256: delivery.bodyHash,
      event: delivery.event,
      status: answer.status,
      answer: JSON.stringify(answer.body),
      received_at: now,
    })
    .execute();
}

/** A delivery that comes again after this is a new one. */
export async function forgetDeliveries(db: Db<BuildTables>, olderThanMs: number): Promise<void> {
  await forgetRows(db, { table: "delivery", at: "received_at", olderThanMs });
}

/** Takes the next number; a rolled-back transaction leaves a gap. */
export async function nextBuild(tx: Tx<BuildTables>): Promise<{ number: number; id: BuildId; now: Instant }> {
  const { rows } = await sql<{ number: number; now: Instant }>`
    select nextval('build_number') as number, clock_timestamp() as now`.execute(tx);
  const [next] = rows;
  if (next === undefined) throw new Error("the sequence build_number gave nothing");
  return { ...next, id: `B-${next.number}` as BuildId };
}

export async function insertBuild(
  tx: Tx<BuildTables>,
  build: { number: number; id: BuildId; service: ServiceName; gitSha: GitSha; createdAt: Instant },
): Promise<void> {
  const { number, id, service, gitSha, createdAt } = build;
  await tx.insertInto("build").values({ number, id, service, git_sha: gitSha, created_at: createdAt }).execute();
}

export type BuildFilter = {
  readonly service?: ServiceName | undefined;
  /** The first digits of a commit. */
  readonly gitSha?: string | undefined;
  /** Only builds before this number. */
  readonly before?: number | undefined;
  readonly limit: number;
};

/** States of builds, newest first. */
export async function findBuilds(
  db: Reader,
  filter: BuildFilter,
): Promise<{ readonly number: number; readonly state: BuildState }[]> {
  let query = db
    .selectFrom("build")
    .innerJoin("machine", (join) => join.onRef("machine.id", "=", "build.id").on("machine.kind", "=", "build"))
    .select(["build.number", "machine.state"])
    .orderBy("build.number", "desc")
    .limit(filter.limit);
  if (filter.service !== undefined) query = query.where("build.service", "=", filter.service);
  if (filter.gitSha !== undefined) query = query.where("build.git_sha", "like", `${filter.gitSha}%`);
  if (filter.before !== undefined) query = query.where("build.number", "<", filter.before);
  return query.execute();
}

/** Who gives a place to a build holds this to the end of the transaction that begins it. */
export async function lockPlaces(tx: Tx<BuildTables>): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('places of builds', 0))`.execute(tx);
}

/** Builds that have a place, and those that wait for one and came before this build. */
export type PlacesBefore = { readonly taken: number; readonly ahead: number };

export async function placesBefore(db: Reader, id: BuildId): Promise<PlacesBefore> {
  const { rows } = await sql<PlacesBefore>`
    select count(*) filter (where machine.phase <> 'queued')::float8 as taken,
      count(*) filter (where machine.phase = 'queued' and build.number < own.number)::float8 as ahead
    from build as own, machine join build on build.id = machine.id
    where own.id = ${id} and machine.kind = 'build'
      and machine.phase in ('queued', 'checking_out', 'running', 'imaging', 'registering')`.execute(db);
  const [found] = rows;
  if (found === undefined) throw new Error("a count gave nothing");
  return found;
}
