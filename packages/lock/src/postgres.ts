import type { Epoch, Instant, RegionName } from "@slipway/kernel";
import { ahead, aheadTransaction, type Committed, type Db, type Logger, prepared } from "@slipway/sql";
import { sql } from "kysely";
import { endByPreemption, endTicket, giveBack } from "./ending.ts";
import type { Acquired, Locks, Target, TargetHolder } from "./port.ts";
import { type EpochOf, type Found, foundIn, type Read, readOrGrant, ticketColumns } from "./read-or-grant.ts";
import { type Ask, type Queue, rule, type Ticket } from "./ruling.ts";

export type PostgresLocksOptions<T> = {
  readonly db: Db<T>;
  readonly log: Logger;
  /** Called once something about the queue has changed and is committed, before the caller learns it. Must not reject. */
  readonly onChange?: (queue: Queue) => Promise<void>;
};

/**
 * Locks as rows (`target`, `ticket`) of the schema that `db` works in. Each call is one short transaction that first
 * takes an advisory lock on its queue, so that rulings on one queue happen one after another and rows never deadlock.
 */
export function postgresLocks<T>({ db, log, onChange = nobodyAsks }: PostgresLocksOptions<T>): Locks {
  let forgetNextAtMs = 0;
  return {
    async acquire(request) {
      const queue = queueOf(request.targets);
      const ask: Ask = {
        holder: request.holder,
        regions: request.targets.map((target) => target.region).sort(),
        preempt: request.preempt ?? false,
      };
      const first = await inQueue(db, queue, (tx) => drawOnly(tx, queue, ask, log));
      const more =
        first.answer === undefined ? await inQueue(db, queue, (tx) => acquireInside(tx, queue, ask, log)) : undefined;
      if (first.changed || more?.changed === true) await onChange(queue);
      return the(more?.answer ?? first.answer);
    },

    async release(holder, regions) {
      const queue = await queueOfHolder(db, holder);
      if (queue === undefined) return;
      await inQueue(db, queue, async (tx) => {
        if (regions === undefined) await endTicket(tx, queue, holder);
        else await giveBack(tx, queue, holder, regions);
        return done;
      });
      await onChange(queue);
      if (performance.now() < forgetNextAtMs) return;
      forgetNextAtMs = performance.now() + forgetEveryMs;
      await forgetOldTickets(db);
    },

    async epochsIn(region) {
      const { rows } = await sql<Omit<Target, "region"> & { epoch: Epoch }>`
        select service, environment, epoch from target where region = ${region}`.execute(db);
      return rows.map(({ epoch, ...target }) => ({ target: { ...target, region }, epoch }));
    },

    async holders(targets) {
      return Promise.all(targets.map((target) => readHolder(db, target)));
    },

    async skipTo({ service, environment, region }, epoch) {
      await inQueue(db, { service, environment }, async (tx) => {
        await sql`
          insert into target (service, environment, region, epoch) values (${service}, ${environment}, ${region}, ${epoch})
          on conflict (service, environment, region) do update set epoch = greatest(target.epoch, excluded.epoch)`.execute(
          tx,
        );
        return done;
      });
      await onChange({ service, environment });
    },

    async lostTo(holder) {
      const { rows } = await sql<{ lost_to: string }>`
        select lost_to from ticket where holder = ${holder} and state = 'lost'`.execute(db);
      return rows[0]?.lost_to;
    },
  };
}

const forgetEveryMs = 3_600_000;
const nobodyAsks = async (): Promise<void> => {};
const done = (): void => {};

type Epochs = Record<RegionName, Epoch>;
type Ruled = { readonly answer: Acquired; readonly changed: boolean };

/**
 * All in one message to the database and one answer: whoever comes first to an empty queue has what it asks for, whoever has to wait is told so. What takes more is ruled upon in a
 * transaction of its own, which reads everything again.
 */
async function drawOnly<T>(
  tx: Db<T>,
  queue: Queue,
  ask: Ask,
  log: Logger,
): Promise<Committed<Read, Partial<Ruled> & Pick<Ruled, "changed">>> {
  await sql`${ahead} ${readOrGrant(queue, ask)}`.execute(tx);
  return (rows) => {
    const found = foundIn(rows);
    if (found.epochs.length > 0) return granted(queue, found, [], log);
    const ruling = rule(found.own, found.others, ask);
    return ruling.kind === "wait" ? waiting(found, ruling.behind) : { changed: found.drawn };
  };
}

/** Answers what is to be said once all of it is committed; a grant's epochs come with the commit. */
async function acquireInside<T>(tx: Db<T>, queue: Queue, ask: Ask, log: Logger): Promise<Committed<EpochOf, Ruled>> {
  const found = foundIn((await sql<Read>`${readOrGrant(queue, ask)}`.execute(tx)).rows);
  if (found.epochs.length > 0) return () => granted(queue, found, [], log);
  // A released holder that asks again is an old command come late, unless it preempts: a rollback always gets its way.
  const again = found.own.state === "released" && ask.preempt;
  const own = again ? await draw(tx, queue, ask) : found.own;
  const ruling = rule(own, found.others, ask);

  if (ruling.kind === "lost") return () => ({ answer: ruling, changed: false });
  if (ruling.kind === "wait") return () => waiting(found, ruling.behind);
  if (ruling.kind === "keep") {
    const regions = ask.regions.filter((region) => own.regions.includes(region));
    const epochs = await epochsOf(tx, queue, { ...ask, regions });
    return () => ({ answer: { kind: "granted", epochs }, changed: false });
  }
  for (const loser of ruling.losers) await endByPreemption(tx, queue, loser, ask.holder);
  await grant(tx, queue, own);
  return (epochs) => granted(queue, { own, epochs }, ruling.losers, log);
}

function waiting({ own, drawn }: Found, behind: string): Ruled {
  return { answer: { kind: "waiting", behind, since: own.drawnAt }, changed: drawn };
}

function granted(
  queue: Queue,
  { own, epochs }: Pick<Found, "own" | "epochs">,
  losers: readonly Ticket[],
  log: Logger,
): Ruled {
  const ended = losers.map(({ holder }) => holder);
  log.info({ ...queue, holder: own.holder, regions: own.regions, losers: ended }, "lock granted");
  return { answer: { kind: "granted", epochs: epochsByRegion(epochs) }, changed: true };
}

function queueOf(targets: readonly Target[]): Queue {
  const [first] = targets;
  if (first === undefined) throw new Error("a lock needs at least one target");
  const { service, environment } = first;
  const regions = new Set(targets.map((target) => target.region));
  const oneQueue = targets.every((target) => target.service === service && target.environment === environment);
  if (!oneQueue) throw new Error("the targets of a lock are one service in one environment");
  if (regions.size !== targets.length) throw new Error("a lock names each region once");
  return { service, environment };
}

/** One transaction that has the queue to itself. What need not be known in between goes ahead, since every round trip is time in which the queue is closed to others. */
async function inQueue<T, Row, R>(
  db: Db<T>,
  queue: Queue,
  work: (tx: Db<T>) => Promise<Committed<Row, R>>,
): Promise<R> {
  const closed = sql`select pg_advisory_xact_lock(hashtextextended(${sql.lit(lockName(queue))}, 0))`;
  return await aheadTransaction(db, closed, work);
}

function lockName({ service, environment }: Queue): string {
  return `slipway.lock:${environment}/${service}`;
}

async function queueOfHolder<T>(db: Db<T>, holder: string): Promise<Queue | undefined> {
  const { rows } = await sql<Queue>`
    ${prepared} select service, environment from ticket where holder = ${holder} and state <> 'released'`.execute(db);
  return rows[0];
}

async function draw<T>(tx: Db<T>, { service, environment }: Queue, ask: Ask): Promise<Ticket> {
  const { rows } = await sql<Ticket>`
    insert into ticket (holder, service, environment, regions)
    values (${ask.holder}, ${service}, ${environment}, ${[...ask.regions]}::text[])
    returning ${ticketColumns}`.execute(tx);
  return the(rows[0]);
}

/** The epochs come with the commit. */
async function grant<T>(tx: Db<T>, { service, environment }: Queue, own: Ticket): Promise<void> {
  await sql`
    ${prepared} ${ahead} with granted as (
      update ticket set state = 'granted', granted_at = clock_timestamp() where id = ${own.id}
    )
    insert into target (service, environment, region, epoch, holder, held_since)
    select ${service}, ${environment}, region, 1, ${own.holder}, clock_timestamp()
    from unnest(${[...own.regions]}::text[]) as region
    on conflict (service, environment, region) do update
      set epoch = target.epoch + 1, holder = excluded.holder, held_since = excluded.held_since
    returning region, epoch`.execute(tx);
}

/** Nobody asks for what ended a quarter of a year ago. Looked for once in a while: it would be the slowest part of each release. */
async function forgetOldTickets<T>(db: Db<T>): Promise<void> {
  await sql`delete from ticket where state = 'released' and ended_at < clock_timestamp() - interval '90 days'`.execute(
    db,
  );
}

async function epochsOf<T>(tx: Db<T>, { service, environment }: Queue, ask: Ask): Promise<Epochs> {
  const { rows } = await sql<EpochOf>`
    ${prepared} select region, epoch from target
    where service = ${service} and environment = ${environment} and holder = ${ask.holder}
      and region = any(${[...ask.regions]}::text[])
    order by region`.execute(tx);
  if (rows.length !== ask.regions.length) throw new Error(`${ask.holder} was granted targets that it does not hold`);
  return epochsByRegion(rows);
}

function epochsByRegion(rows: readonly EpochOf[]): Epochs {
  return Object.fromEntries(rows.map(({ region, epoch }) => [region, epoch]));
}

async function readHolder<T>(db: Db<T>, target: Target): Promise<TargetHolder> {
  const { service, environment, region } = target;
  const { rows } = await sql<{ epoch: Epoch | null; holder: string | null; since: Instant | null; waiting: string[] }>`
    select t.epoch, t.holder, t.held_since as since, array(
        select w.holder from ticket w
        where w.service = ${service} and w.environment = ${environment}
          and w.state = 'waiting' and ${region} = any(w.regions)
        order by w.id) as waiting
    from (values (1)) as one
    left join target t on t.service = ${service} and t.environment = ${environment} and t.region = ${region}
  `.execute(db);
  const { epoch, holder, since, waiting } = the(rows[0]);
  return { target, epoch: epoch ?? (0 as Epoch), holder, since, waiting };
}

function the<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Error("a statement that always gives a row gave none");
  return row;
}
