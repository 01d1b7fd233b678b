import { within } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import type { Journal } from "./journal.ts";
import { putToWork } from "./keeper.ts";
import type { Service } from "./service.ts";
import { decode } from "./store.ts";
import type { Snapshot } from "./watcher.ts";

/** At the start nobody is watched until this has been answered or given up. */
const patienceMs = 2_000;

/**
 * After a restart every watch goes on where its snapshot left off. The journal first (it may hold a FAIL that the rows do not know), then the
 * rows; without a database what the disk knows. Resolves to true when the rows were read.
 */
export async function putBackToWork(
  service: Service,
  journal: Journal,
  isDatabaseThere: boolean,
  log: Logger,
): Promise<boolean> {
  await service.queue.open();
  try {
    if (!isDatabaseThere) throw new Error("the database was not there at the start");
    await within(patienceMs, reconcile(service), () => {
      throw new Error(`the database did not answer within ${patienceMs} ms`);
    });
    return true;
  } catch (error) {
    log.warn({ err: error }, "the database is away: watching what the disk names");
    for (const { snapshot, ...watch } of await journal.watches()) {
      if (service.watchers.get(watch.id) !== undefined) continue;
      const seen = snapshot === null ? undefined : (decode(snapshot) as Snapshot);
      putToWork(service.watchers, { ...watch, shut: {}, snapshot: seen });
    }
    return false;
  }
}

/**
 * Once the database is there: what was stored first, then the rows. A watch that the disk did not name is put to work, one that had ended meanwhile
 * or that another process has is let go.
 */
export async function reconcile(service: Service): Promise<void> {
  await service.queue.flush();
  await service.keeper.round();
  await service.watchers.keepOnDisk();
}
