import { type Logger, listen, openDb } from "@slipway/sql";
import { sql } from "kysely";
import { createBell } from "./bell.ts";
import { createFlights, type Flight, type Flights } from "./flights.ts";
import { formatOf } from "./format.ts";
import { createHeadStart, type HeadStart } from "./head-start.ts";
import { claimCommands, type KnownKind, leaseMs, nextDue, releaseLeases } from "./lease.ts";
import { perform, stopping } from "./perform.ts";
import type { Queue } from "./queue.ts";
import { readRow } from "./read.ts";
import { record } from "./record.ts";
import type { DurableDb, DurableTables } from "./tables.ts";
import type { AnyMachine } from "./types.ts";

export type Worker = {
  start(): Promise<void>;
  stop(): Promise<void>;
  wake(): void;
  /** Commands being performed or recorded. */
  readonly busy: number;
};

export type WorkerOptions = {
  readonly db: DurableDb;
  readonly url: string;
  readonly machines: ReadonlyMap<string, AnyMachine>;
  readonly queue: Queue;
  readonly log: Logger;
  readonly slots: number;
  /** Unlike that of any other worker, dead or alive. */
  readonly holder: string;
  readonly random: () => number;
  readonly place: string | undefined;
};

/** Five times a lease: one lost answer costs nothing. */
const keepEveryMs = leaseMs / 5;
/** While a command is due or leased: when its holder dies nobody rings. */
const longestSleepMs = 1_000;
/** While there is none: what is sent rings, and a lost ring costs at most this. */
const idleSleepMs = 5_000;
const fullPauseMs = 50;
/** What is asked on the worker's own connection waits for no lock: without an answer for so long it has gone dead, and nothing is performed until there is another. */
const claimSilentMs = 5_000;
const largestClaim = 50;
const drainMs = 5_000;
const abortMs = 2_000;

/** Claims, performs and records commands until it is stopped. */
export function createWorker(options: WorkerOptions): Worker {
  const { log, holder, url } = options;
  const flights = createFlights(holder, log);
  const bell = createBell();
  const drainBell = createBell();
  const end = new AbortController();
  let loops: Promise<{ close(): Promise<void> }> | undefined;
  let stopped: Promise<void> | undefined;
  let drained = false;
  const headStart = createHeadStart();

  async function begin(): Promise<{ close(): Promise<void> }> {
    const { rows } = await sql<{ schema: string }>`select current_schema() as schema`.execute(options.db);
    const schema = rows[0]?.schema ?? "";
    // Of its own, so that leases are renewed however busy the service's pool is.
    const applicationName = `slipway-worker-${schema}`;
    const own = openDb<DurableTables>({ url, schema, max: 1, applicationName, silentAfterMs: claimSilentMs, log });
    const listener = await listen({ url, channel: `slipway_durable_${schema}`, onNotify: () => bell.ring(), log });
    const claiming = claimLoop(own);
    const keeping = keepLoop(own);
    return {
      async close() {
        await claiming;
        await drain(flights);
        drained = true;
        drainBell.ring();
        await releaseLeases(own, holder).catch((error: unknown) =>
          log.warn({ err: error }, "leases could not be given back"),
        );
        await keeping;
        await listener.close();
        await own.destroy();
      },
    };
  }

  async function claimLoop(own: DurableDb): Promise<void> {
    while (!end.signal.aborted) {
      bell.mute();
      const pauseMs = await flights
        .during(claimRound(options, own, flights, bell.ring, headStart))
        .catch((error: unknown) => {
          log.warn({ err: error }, "claiming commands failed, will be tried again");
          return 250;
        });
      if (pauseMs > 0 && !end.signal.aborted) await bell.heard(pauseMs);
    }
  }

  async function keepLoop(own: DurableDb): Promise<void> {
    while (!drained) {
      await flights.keep(own);
      await drainBell.heard(keepEveryMs);
    }
  }

  async function drain(flying: Flights): Promise<void> {
    await flying.landed(drainMs);
    flying.abortAll(stopping);
    await flying.landed(abortMs);
    if (flying.size > 0) log.warn({ commands: flying.size }, "commands did not end and are left to others");
  }

  return {
    async start() {
      if (end.signal.aborted) throw new Error("a stopped worker does not start again");
      loops ??= begin();
      await loops;
    },
    async stop() {
      end.abort();
      bell.ring();
      stopped ??= loops?.then((running) => running.close()) ?? Promise.resolve();
      await stopped;
    },
    wake: bell.ring,
    get busy() {
      return flights.size;
    },
  };
}

/** Claims once; answers how long there is nothing more to do. */
async function claimRound(
  options: WorkerOptions,
  own: DurableDb,
  flights: Flights,
  ring: () => void,
  headStart: HeadStart,
): Promise<number> {
  const { machines, holder, slots, place } = options;
  const launch = async (kinds: readonly KnownKind[], limit: number, urgentOnly: boolean): Promise<number> => {
    const askedAt = performance.now();
    const claims = await claimCommands(own, holder, kinds, { limit, urgentOnly, place });
    for (const claim of claims)
      flights.launch(claim, askedAt + leaseMs, async (flight) => await fly(options, flights, flight), ring);
    return claims.length;
  };
  const known = [...machines].map(([kind, definition]) => ({ kind, format: formatOf(definition), definition }));
  const hurried = known.filter(({ definition }) => definition.urgent !== undefined);
  const urgent = hurried.length === 0 ? 0 : await launch(hurried, largestClaim, true);
  const headStartMs = headStart.leftMs(flights.youngestUrgentMs, performance.now());
  if (headStartMs > 0) return urgent === largestClaim ? 0 : Math.ceil(headStartMs);
  const limit = Math.min(largestClaim, slots - flights.slotsTaken);
  const ordinary = limit <= 0 ? 0 : await launch(known, limit, false);
  if (urgent + ordinary > 0) return 0;
  // Without a free slot ordinary commands may be due at any time and mean nothing: only an urgent one that is tried again does.
  const shortestMs = limit <= 0 ? fullPauseMs : 1;
  const { ms, underWay } = await nextDue(own);
  const longestMs = underWay ? longestSleepMs : idleSleepMs;
  return Math.min(longestMs, Math.max(shortestMs, Math.ceil(ms ?? longestMs)));
}

async function fly(options: WorkerOptions, flights: Flights, flight: Flight): Promise<void> {
  const { machines, queue, log, db, random } = options;
  const { claim, controller } = flight;
  const { kind, id } = claim.lease;
  if (claim.void) return await record(queue, log, flights, flight, { kind: "void" });
  const definition = machines.get(kind);
  if (definition === undefined) throw new Error(`no machine is named ${kind}`);
  const current = async () => await readRow(db, kind, id);
  const outcome = await perform({ definition, claim, controller, log, random, current });
  await record(queue, log, flights, flight, outcome);
}
