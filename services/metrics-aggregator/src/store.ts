import { type Instant, instant } from "@slipway/kernel";
import type { Db, Tx } from "@slipway/sql";
import { sql } from "kysely";
import { type Facts, merge } from "./domain/facts.ts";
import { type Change, countedAt } from "./domain/reports.ts";

/** All SQL of the schema `metrics`. Statements name their tables themselves, so no table type is needed. */
export type MetricsDb = Db<Record<never, never>>;
export type MetricsTx = Tx<Record<never, never>>;

type Row = Omit<Change, "caught" | "ended"> & {
  readonly caughtAt: Instant | null;
  readonly caughtReason: string | null;
  readonly endedAt: Instant | null;
  readonly outcome: string | null;
  readonly endedReason: string | null;
};

const columns = sql`d.id, d.service, d.environment, d.version, d.git_sha as "gitSha", d.regions,
  d.exposed_at as "exposedAt", d.succeeded_at as "succeededAt", d.caught_at as "caughtAt",
  d.caught_reason as "caughtReason", d.ended_at as "endedAt", d.outcome, d.ended_reason as "endedReason",
  d.max_weight_percent as "maxWeightPercent", d.failed_requests as "failedRequests", d.slow_requests as "slowRequests",
  d.shut, d.way_back as "wayBack",
  c.committed_at as "committedAt", b.succeeded_at as "ledAwayAt"`;

const joined = sql`deployment d left join commit_time c on c.service = d.service and c.git_sha = d.git_sha
  left join deployment b on b.id = d.way_back`;

/** Adds what an event told to the deployment's row. The same event again changes nothing. */
export async function addFacts(tx: MetricsTx, facts: Facts): Promise<void> {
  await sql`
    insert into deployment (id, service, environment, version)
    values (${facts.id}, ${facts.service}, ${facts.environment}, ${facts.version})
    on conflict (id) do nothing`.execute(tx);
  const { rows } = await sql<Row>`
    select ${columns} from ${joined} where d.id = ${facts.id} for update of d`.execute(tx);
  const [row] = rows;
  if (row === undefined) throw new Error(`the row of ${facts.id} vanished`);
  const all = merge(changeOf(row), facts);
  await sql`
    update deployment set git_sha = ${all.gitSha}, regions = ${[...all.regions]}::text[],
      exposed_at = ${all.exposedAt}, succeeded_at = ${all.succeededAt},
      caught_at = ${all.caught?.at ?? null}, caught_reason = ${all.caught?.reason ?? null},
      ended_at = ${all.ended?.at ?? null}, outcome = ${all.ended?.outcome ?? null},
      ended_reason = ${all.ended?.reason ?? null}, max_weight_percent = ${all.maxWeightPercent},
      failed_requests = ${all.failedRequests}, slow_requests = ${all.slowRequests}, shut = ${JSON.stringify(all.shut)}::jsonb,
      way_back = ${all.wayBack}, counted_at = ${countedAt(all)}
    where id = ${all.id}`.execute(tx);
}

/** A commit's time, which its first build tells. One that is no time is left out. */
export async function addCommit(tx: MetricsTx, service: string, gitSha: string, committedAt: string): Promise<void> {
  const ms = Date.parse(committedAt);
  if (Number.isNaN(ms)) return;
  await sql`
    insert into commit_time (service, git_sha, committed_at) values (${service}, ${gitSha}, ${instant(ms)})
    on conflict do nothing`.execute(tx);
}

export type Scope = {
  readonly service?: string | undefined;
  readonly environment?: string | undefined;
  readonly days: number;
};

/** What counts in the last so many days of the database's clock, newest first. */
export async function listChanges(db: MetricsDb, scope: Scope, badOnly = false): Promise<readonly Change[]> {
  const { rows } = await sql<Row>`
    select ${columns} from ${joined}
    where d.counted_at > clock_timestamp() - ${scope.days} * interval '1 day'
      and (${scope.service ?? null}::text is null or d.service = ${scope.service ?? null})
      and (${scope.environment ?? null}::text is null or d.environment = ${scope.environment ?? null})
      and (not ${badOnly} or d.caught_at is not null or d.outcome = 'rolled_back')
    order by d.counted_at desc, d.id desc`.execute(db);
  return rows.map(changeOf);
}

function changeOf({ caughtAt, caughtReason, endedAt, outcome, endedReason, ...row }: Row): Change {
  return {
    ...row,
    caught: caughtAt === null ? null : { at: caughtAt, reason: caughtReason ?? "" },
    ended: endedAt === null ? null : { at: endedAt, outcome: outcome ?? "", reason: endedReason ?? "" },
  };
}
