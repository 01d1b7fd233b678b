import type { Logger } from "@slipway/sql";
import type { Journal } from "./journal.ts";
import type { Service } from "./service.ts";
import { loadSnapshot } from "./store.ts";

/** After a restart: the journal first (it may hold a FAIL that the rows do not know), then every watch that is not ended goes on where its snapshot left off; what the disk knows and the database does not is kept too. */
export async function putBackToWork(service: Service, journal: Journal, log: Logger): Promise<void> {
  await service.watchers.replay();
  try {
    for (const { state } of await service.durable.list(service.machine, { phases: ["watching", "failed"] })) {
      const watcher = service.watchers.restore(state.id, state.spec, await loadSnapshot(service.db, state.id));
      watcher.judgement = state.judgement;
      if (state.phase === "failed") watcher.state = "failed";
    }
  } catch (error) {
    log.warn({ err: error }, "the database is away: watching what the journal names");
    for (const { id, spec, judgement, failed } of await journal.specs()) {
      const watcher = service.watchers.restore(id, spec);
      if (failed && judgement !== null) watcher.fail(judgement);
    }
  }
}
