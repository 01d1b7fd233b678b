import type { Logger } from "@slipway/sql";
import type { Journal } from "./journal.ts";
import type { Service } from "./service.ts";
import { decode } from "./store.ts";
import type { Snapshot, Watcher } from "./watcher.ts";

/** What the rows know of watches that are not ended. Rejects while the database is away. */
export type LoadWatches = () => Promise<readonly StoredWatch[]>;
export type StoredWatch = {
  readonly id: Watcher["id"];
  readonly spec: Watcher["spec"];
  readonly judgement: Watcher["judgement"];
  readonly failed: boolean;
  /** Regions in which shutting was confirmed. */
  readonly shut: Readonly<Record<string, unknown>>;
  readonly snapshot: Snapshot | undefined;
};

/** At the start nobody is watched until this has been answered or given up. */
const patienceMs = 2_000;

/**
 * After a restart every watch goes on where its snapshot left off. The journal first (it may hold a FAIL that the rows do not know), then the
 * rows; without a database what the disk knows. Resolves to true when the rows were read.
 */
export async function putBackToWork(
  service: Service,
  journal: Journal,
  load: LoadWatches | undefined,
  log: Logger,
): Promise<boolean> {
  await service.queue.open();
  try {
    if (load === undefined) throw new Error("the database was not there at the start");
    const stored = await within(patienceMs, service.queue.flush().then(load));
    for (const watch of stored) restore(service, watch);
    await service.watchers.keepOnDisk();
    return true;
  } catch (error) {
    log.warn({ err: error }, "the database is away: watching what the disk names");
    for (const { snapshot, ...watch } of await journal.watches())
      restore(service, {
        ...watch,
        shut: {},
        snapshot: snapshot === null ? undefined : (decode(snapshot) as Snapshot),
      });
    return false;
  }
}

/**
 * Once the database is back after a start without it: what was stored first, then the rows. A watch that the disk did not name is put back to
 * work, one that had ended meanwhile is let go.
 */
export async function reconcile(service: Service, load: LoadWatches): Promise<void> {
  await service.queue.flush();
  for (const watch of await load()) if (service.watchers.get(watch.id) === undefined) restore(service, watch);
  for (const { id } of service.watchers.all()) {
    const row = await service.durable.read(service.machine, id);
    if (row === undefined || row.state.phase === "ended") await service.watchers.end(id);
  }
  await service.watchers.keepOnDisk();
}

function restore({ watchers }: Service, { id, spec, judgement, failed, shut, snapshot }: StoredWatch): void {
  const watcher = watchers.restore(id, spec, snapshot);
  watcher.judgement = judgement;
  if (failed && judgement !== null) watcher.resumeFailed(judgement, shut);
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`the database did not answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
