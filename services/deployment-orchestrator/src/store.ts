import type { DeploymentId, Digest, EnvironmentName, Instant, ServiceName, VersionName } from "@slipway/kernel";
import type { Db, Tx } from "@slipway/sql";
import { type Generated, sql } from "kysely";
import { type Deployment, holdingPhases, type Plan } from "./domain/deployment.ts";

/** The tables of schema `deployment` that this service reads and writes itself. */
export type Tables = {
  service: { name: string; owner: string; deploys_to: string | null; created_at: Generated<Instant> };
  deployment: {
    number: number;
    id: string;
    service: string;
    environment: string;
    version: string;
    request_key: string | null;
    created_at: Generated<Instant>;
  };
  machine: { kind: string; id: string; phase: string; state: Deployment; updated_at: Instant };
};

export type Stored = { readonly state: Deployment; readonly updatedAt: Instant };
export type Filter = {
  readonly service?: string | undefined;
  readonly environment?: string | undefined;
  readonly phases?: readonly string[] | undefined;
};

export async function nextDeploymentId(db: Db<Tables> | Tx<Tables>): Promise<{ id: DeploymentId; number: number }> {
  const { rows } = await sql<{ number: number }>`select nextval('deployment_number') as number`.execute(db);
  const number = Number(rows[0]?.number);
  return { id: `D-${number}` as DeploymentId, number };
}

export async function insertDeployment(
  tx: Tx<Tables>,
  number: number,
  plan: Plan,
  requestKey: string | undefined,
): Promise<void> {
  const { id, service, environment, version } = plan;
  await tx
    .insertInto("deployment")
    .values({ number, id, service, environment, version, request_key: requestKey ?? null })
    .execute();
}

export async function byRequestKey(db: Db<Tables>, key: string): Promise<DeploymentId | undefined> {
  const row = await db.selectFrom("deployment").select("id").where("request_key", "=", key).executeTakeFirst();
  return row?.id as DeploymentId | undefined;
}

/** Newest first, below the number `before`. */
export async function listDeployments(
  db: Db<Tables>,
  filter: Filter,
  limit: number,
  before?: number,
): Promise<readonly (Stored & { number: number })[]> {
  let query = db
    .selectFrom("deployment")
    .innerJoin("machine", (join) =>
      join.onRef("machine.id", "=", "deployment.id").on("machine.kind", "=", "deployment"),
    )
    .select(["deployment.number", "machine.state", "machine.updated_at"])
    .orderBy("deployment.number", "desc")
    .limit(limit);
  if (before !== undefined) query = query.where("deployment.number", "<", before);
  if (filter.service !== undefined) query = query.where("deployment.service", "=", filter.service);
  if (filter.environment !== undefined) query = query.where("deployment.environment", "=", filter.environment);
  if (filter.phases !== undefined) query = query.where("machine.phase", "in", [...filter.phases]);
  const rows = await query.execute();
  return rows.map((row) => ({ number: row.number, state: row.state as Deployment, updatedAt: row.updated_at }));
}

/** Deployments whose traffic is looked after: under way, or at 100% and not replaced. */
export async function activeDeployments(db: Db<Tables>): Promise<readonly Deployment[]> {
  const phases = [...holdingPhases, "watching", "restoring"];
  const rows = await db
    .selectFrom("machine")
    .select("state")
    .where("kind", "=", "deployment")
    .where("phase", "in", phases)
    .where(sql<boolean>`not (phase = 'watching' and state ->> 'replacedBy' is not null)`)
    // Only a way back writes weights before every fence is open.
    .where(sql<boolean>`not (phase = 'opening' and state -> 'plan' ->> 'rollsBack' is null)`)
    .execute();
  return rows.map((row) => row.state);
}

/** The newest deployment of each service in each environment, where it ended within the last day; of the newest 500 of all. */
export async function lastEnded(db: Db<Tables>): Promise<readonly Deployment[]> {
  const { rows } = await sql<{ state: Deployment }>`
    select state from (
      select distinct on (d.service, d.environment) m.state, m.phase, m.updated_at
      from (select * from deployment order by number desc limit 500) d
        join machine m on m.kind = 'deployment' and m.id = d.id
      order by d.service, d.environment, d.number desc) as newest
    where phase in ('rolled_back', 'failed', 'cancelled', 'superseded', 'verified')
      and updated_at > clock_timestamp() - interval '1 day'`.execute(db);
  return rows.map((row) => row.state);
}

/** Every deployment that has not ended. */
export async function unendedDeployments(db: Db<Tables>, ended: readonly string[]): Promise<readonly Deployment[]> {
  const rows = await db
    .selectFrom("machine")
    .select("state")
    .where("kind", "=", "deployment")
    .where("phase", "not in", [...ended])
    .orderBy("id")
    .execute();
  return rows.map((row) => row.state);
}

/** The next deployment has a higher number than this one: ids that a region still names are not given again. */
export async function raiseDeploymentNumber(tx: Tx<Tables>, number: number): Promise<void> {
  await sql`select setval('deployment_number', greatest(last_value, ${number}::bigint),
              is_called or ${number}::bigint >= last_value) from deployment_number`.execute(tx);
}

/** Whether this version was taken back in this environment, or is being taken back. */
export async function isBanned(db: Db<Tables>, environment: EnvironmentName, version: VersionName): Promise<boolean> {
  return (await takenBack(db, environment, version).limit(1).executeTakeFirst()) !== undefined;
}

/** Which deployment took the version back after this one of it was asked for. An approver who asks for it later knows of that. */
export async function takenBackSince(
  db: Db<Tables>,
  { id, environment, version, createdAt }: Pick<Plan, "id" | "environment" | "version" | "createdAt">,
): Promise<DeploymentId | undefined> {
  const found = await takenBack(db, environment, version)
    .where("deployment.id", "!=", id)
    .where((or) =>
      or.or([
        // Rows of older releases know only when it was over.
        sql<boolean>`machine.phase in ('restoring', 'rolled_back')
          and coalesce(machine.state ->> 'since', machine.state ->> 'at') > ${createdAt}`,
        ledAwayFrom(sql<boolean>`back.state -> 'plan' ->> 'createdAt' > ${createdAt}`),
      ]),
    )
    .orderBy("deployment.number", "desc")
    .limit(1)
    .executeTakeFirst();
  return found?.id as DeploymentId | undefined;
}

/** Whether the version was found bad after this deployment of it had brought it, by whichever deployment of it. */
export async function foundBadSince(
  db: Db<Tables>,
  plan: Pick<Plan, "id" | "environment" | "version">,
): Promise<boolean> {
  const since = takenBack(db, plan.environment, plan.version).where("deployment.number", ">=", numberOf(plan.id));
  return (await since.limit(1).executeTakeFirst()) !== undefined;
}

function takenBack(db: Db<Tables>, environment: EnvironmentName, version: VersionName) {
  return db
    .selectFrom("deployment")
    .innerJoin("machine", (join) =>
      join.onRef("machine.id", "=", "deployment.id").on("machine.kind", "=", "deployment"),
    )
    .select("deployment.id")
    .where("deployment.environment", "=", environment)
    .where("deployment.version", "=", version)
    .where((or) =>
      or.or([
        or("machine.phase", "=", "rolled_back"),
        sql<boolean>`machine.phase = 'restoring' and machine.state ->> 'outcome' = 'rolled_back'`,
        ledAwayFrom(),
      ]),
    );
}

/** Found bad after it was verified, by the judge or by a person: the deployment that leads away from it says so. */
function ledAwayFrom(when = sql<boolean>`true`) {
  return sql<boolean>`exists (select 1 from machine as back where back.kind = 'deployment'
    and back.state -> 'plan' ->> 'rollsBack' = deployment.id and ${when})`;
}

export function numberOf(id: DeploymentId): number {
  return Number(id.slice(2));
}

/** `deploysTo` undefined leaves it as it is. */
export async function upsertService(
  db: Db<Tables> | Tx<Tables>,
  name: ServiceName,
  own: { readonly owner: string; readonly deploysTo: string | null | undefined },
): Promise<void> {
  const { owner, deploysTo } = own;
  const change = deploysTo === undefined ? { owner } : { owner, deploys_to: deploysTo };
  await db
    .insertInto("service")
    .values({ name, owner, deploys_to: deploysTo ?? null })
    .onConflict((conflict) => conflict.column("name").doUpdateSet(change))
    .execute();
}

export async function findService(
  db: Db<Tables>,
  name: ServiceName,
): Promise<{ name: string; owner: string; deploys_to: string | null } | undefined> {
  return db.selectFrom("service").select(["name", "owner", "deploys_to"]).where("name", "=", name).executeTakeFirst();
}

/** Whether there is a deployment of it, however it ended. */
export async function wasDeployed(db: Db<Tables>, name: ServiceName): Promise<boolean> {
  const row = await db.selectFrom("deployment").select("id").where("service", "=", name).limit(1).executeTakeFirst();
  return row !== undefined;
}

/** Services that were registered or deployed, by name. */
export async function serviceNames(
  db: Db<Tables>,
  { limit, offset }: { readonly limit: number; readonly offset: number },
): Promise<readonly { name: ServiceName; owner: string | null; deploys_to: EnvironmentName | null }[]> {
  const { rows } = await sql<{ name: ServiceName; owner: string | null; deploys_to: EnvironmentName | null }>`
    select name, s.owner, s.deploys_to
    from (select name from service union select service from deployment) as known left join service s using (name)
    order by name limit ${limit} offset ${offset}`.execute(db);
  return rows;
}

/** Of all of them, to find the one that was meant. */
export async function knownServiceNames(db: Db<Tables>): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    select name from service union select service from deployment`.execute(db);
  return rows.map(({ name }) => name);
}

export type LiveRow = {
  readonly service: ServiceName;
  readonly environment: EnvironmentName;
  readonly region: string;
  readonly version: VersionName;
  readonly digest: Digest;
  readonly verified: boolean;
  readonly deployment_id: DeploymentId;
  /** When it came to 100%. */
  readonly since: Instant;
};

/** Of each environment and region: the newest version that came to 100% and was not replaced. */
export async function liveRows(db: Db<Tables>, services: readonly string[]): Promise<readonly LiveRow[]> {
  const { rows } = await sql<LiveRow>`
    select distinct on (d.service, d.environment, region)
      d.service, d.environment, region, d.version, m.state -> 'plan' ->> 'digest' as digest,
      m.phase = 'verified' as verified, d.id as deployment_id,
      coalesce(m.state ->> 'since', m.state ->> 'at') as since
    from deployment d join machine m on m.kind = 'deployment' and m.id = d.id,
      jsonb_array_elements_text(m.state -> 'plan' -> 'regions') as region
    where d.service = any(${[...services]}::text[]) and m.phase in ('watching', 'verified')
    order by d.service, d.environment, region, d.number desc`.execute(db);
  return rows;
}

/** What is on its way and has not come to 100%, oldest first. */
export async function underWay(db: Db<Tables>, services: readonly string[]): Promise<readonly Deployment[]> {
  const { rows } = await sql<{ state: Deployment }>`
    select m.state from deployment d join machine m on m.kind = 'deployment' and m.id = d.id
    where d.service = any(${[...services]}::text[])
      and m.phase not in ('watching', 'verified', 'rolled_back', 'failed', 'cancelled', 'superseded')
    order by d.number`.execute(db);
  return rows.map(({ state }) => state);
}
