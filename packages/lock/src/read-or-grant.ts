import type { Epoch, RegionName } from "@slipway/kernel";
import { prepared } from "@slipway/sql";
import { type RawBuilder, sql } from "kysely";
import type { Ask, Queue, Ticket } from "./ruling.ts";

export type EpochOf = { readonly region: RegionName; readonly epoch: Epoch };

export const ticketColumns = sql`id, holder, regions, state, lost_to as "lostTo", drawn_at as "drawnAt"`;

/** A row of what was read. */
export type Read = (Ticket & { readonly place: "own" | "drawn" | "queue" }) | (EpochOf & { readonly place: "granted" });

/** `others`: those that wait or hold in the queue. `epochs`: of what was granted by reading, for nobody was there. */
export type Found = {
  readonly own: Ticket;
  readonly drawn: boolean;
  readonly others: readonly Ticket[];
  readonly epochs: readonly EpochOf[];
};

export function foundIn(rows: readonly Read[]): Found {
  const tickets = rows.flatMap((row) => (row.place === "granted" ? [] : [row]));
  const own = tickets.find(({ place }) => place !== "queue");
  if (own === undefined) throw new Error("whoever asks has a ticket, and none was read");
  return {
    own,
    drawn: own.place === "drawn",
    others: tickets.filter(({ place, id }) => place === "queue" && id !== own.id),
    epochs: rows.flatMap((row) => (row.place === "granted" ? [row] : [])),
  };
}

/**
 * The last ticket of the holder, drawn where it has none, and those that wait or hold in the queue. A ticket that is drawn where there are none of those is granted
 * at once, as `rule` would.
 */
export function readOrGrant({ service, environment }: Queue, ask: Ask): RawBuilder<Read> {
  const regions = [...ask.regions];
  return sql<Read>`${prepared} with own as (
      select ${ticketColumns} from ticket where holder = ${ask.holder} order by id desc limit 1
    ), queue as (
      select ${ticketColumns} from ticket
      where service = ${service} and environment = ${environment} and state in ('waiting', 'granted')
    ), free as (
      select not exists (select from queue) as free
    ), drawn as (
      insert into ticket (holder, service, environment, regions, state, granted_at)
      select ${ask.holder}, ${service}, ${environment}, ${regions}::text[],
        case when free then 'granted' else 'waiting' end, case when free then clock_timestamp() end
      from free where not exists (select from own)
      returning ${ticketColumns}
    ), granted as (
      insert into target (service, environment, region, epoch, holder, held_since)
      select ${service}, ${environment}, region, 1, ${ask.holder}, clock_timestamp()
      from drawn, unnest(drawn.regions) as region where drawn.state = 'granted'
      on conflict (service, environment, region) do update
        set epoch = target.epoch + 1, holder = excluded.holder, held_since = excluded.held_since
      returning region, epoch
    )
    select *, 'own' as place, null as region, null::bigint as epoch from own
    union all
    select *, 'drawn', null, null from drawn
    union all
    select *, 'queue', null, null from queue
    union all
    select null, null, null, null, null, null, 'granted', region, epoch from granted
    order by id`;
}
