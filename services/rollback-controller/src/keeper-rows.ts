import { randomUUID } from "node:crypto";
import type { DeploymentId } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import type { Tables } from "./store.ts";

/** How long a watch stays with a process that says nothing more: killed, hanging, or cut off from the database. */
export const keptForMs = 2_500;

export type Kept = { readonly id: DeploymentId; readonly phase: string; readonly version: number };

/** Who has which watch, by the clock of the database. Each call is one statement: a process that hangs holds no lock on what others are to take. */
export type KeeperRows = {
  /** Of this process, as `keeper` names it. */
  readonly holder: string;
  /** Takes what nobody has, or an earlier process of the same disk had; so many at most. Answers how many. */
  claim(most: number): Promise<number>;
  /** Says once more what this process has, and answers it: also what has ended meanwhile. */
  renew(): Promise<readonly Kept[]>;
  /** Takes one, whoever has it. `undefined`: there is none that has not ended. */
  take(id: DeploymentId): Promise<{ readonly from: string | null } | undefined>;
  release(id: DeploymentId): Promise<void>;
  releaseAll(): Promise<void>;
};

/** `format`: the newest form of a watch that this program knows. */
export function keeperRows(db: Db<Tables>, disk: string, format = 1): KeeperRows {
  const holder = `${disk}/${randomUUID()}`;
  const until = sql`clock_timestamp() + ${keptForMs} * interval '1 millisecond'`;
  return {
    holder,
    async claim(most) {
      const free = (keeper: string) => sql`(${sql.ref(`${keeper}.kept_until`)} < clock_timestamp()
        or (split_part(${sql.ref(`${keeper}.holder`)}, '/', 1) = ${disk} and ${sql.ref(`${keeper}.holder`)} <> ${holder}))`;
      const { rows } = await sql`
        insert into keeper (watch_id, holder, kept_until)
        select m.id, ${holder}, ${until} from machine m left join keeper k on k.watch_id = m.id
        where m.kind = 'watch' and m.phase in ('watching', 'failed') and m.format <= ${format} and (k.watch_id is null or ${free("k")})
        order by m.id limit ${most}
        on conflict (watch_id) do update set holder = excluded.holder, kept_until = excluded.kept_until
        where ${free("keeper")} returning watch_id`.execute(db);
      return rows.length;
    },
    async renew() {
      const { rows } = await sql<Kept>`
        with mine as (select watch_id from keeper where holder = ${holder} order by watch_id for update),
        renewed as (update keeper set kept_until = ${until} where watch_id in (select watch_id from mine) returning watch_id)
        select m.id, m.phase, m.version from renewed r join machine m on m.kind = 'watch' and m.id = r.watch_id`.execute(
        db,
      );
      return rows;
    },
    async take(id) {
      const { rows } = await sql<{ from: string | null }>`
        insert into keeper (watch_id, holder, kept_until)
        select id, ${holder}, ${until} from machine where kind = 'watch' and id = ${id} and phase <> 'ended' and format <= ${format}
        on conflict (watch_id) do update set holder = excluded.holder, kept_until = excluded.kept_until
        returning (select k.holder from keeper k where k.watch_id = keeper.watch_id) as "from"`.execute(db);
      return rows[0];
    },
    async release(id) {
      await sql`delete from keeper where watch_id = ${id} and holder = ${holder}`.execute(db);
    },
    async releaseAll() {
      await sql`delete from keeper where holder = ${holder}`.execute(db);
    },
  };
}

/** Whether a process of another disk has this watch now. */
export async function isKeptElsewhere(db: Db<Tables>, id: DeploymentId, disk: string): Promise<boolean> {
  const { rows } = await sql`
    select from keeper where watch_id = ${id} and kept_until > clock_timestamp() and split_part(holder, '/', 1) <> ${disk}`.execute(
    db,
  );
  return rows.length > 0;
}
