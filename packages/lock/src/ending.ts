import type { RegionName } from "@slipway/kernel";
import { ahead, type Db, prepared } from "@slipway/sql";
import { sql } from "kysely";
import type { Queue, Ticket } from "./ruling.ts";

export async function endByPreemption<T>(tx: Db<T>, queue: Queue, loser: Ticket, to: string): Promise<void> {
  await freeTargets(tx, queue, loser.holder);
  await sql`update ticket set state = 'lost', lost_to = ${to}, ended_at = clock_timestamp()
            where id = ${loser.id}`.execute(tx);
}

export async function endTicket<T>(tx: Db<T>, { service, environment }: Queue, holder: string): Promise<void> {
  await sql`
    ${prepared} ${ahead} with freed as (
      update target set holder = null, held_since = null
      where service = ${service} and environment = ${environment} and holder = ${holder}
    )
    update ticket set state = 'released', lost_to = null, ended_at = clock_timestamp()
    where holder = ${holder} and state <> 'released'`.execute(tx);
}

/** A granted ticket lives on with the regions that are left; with none it ends. What waits or was lost holds nothing to give back. */
export async function giveBack<T>(
  tx: Db<T>,
  { service, environment }: Queue,
  holder: string,
  regions: readonly RegionName[],
): Promise<void> {
  const given = sql`any(${[...regions]}::text[])`;
  await sql`
    ${prepared} ${ahead} with freed as (
      update target set holder = null, held_since = null
      where service = ${service} and environment = ${environment} and holder = ${holder} and region = ${given}
    ), own as (
      select id, array(select region from unnest(regions) as region where not region = ${given}) as rest
      from ticket where holder = ${holder} and state = 'granted'
    )
    update ticket set
      regions = case when rest = '{}' then regions else rest end,
      state = case when rest = '{}' then 'released' else state end,
      ended_at = case when rest = '{}' then clock_timestamp() end
    from own where ticket.id = own.id`.execute(tx);
}

async function freeTargets<T>(tx: Db<T>, { service, environment }: Queue, holder: string): Promise<void> {
  await sql`update target set holder = null, held_since = null
            where service = ${service} and environment = ${environment} and holder = ${holder}`.execute(tx);
}
