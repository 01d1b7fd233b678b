import type { Durable } from "@slipway/durable";
import type { Db } from "@slipway/sql";
import type { LoadWatches, StoredWatch } from "./recovery.ts";
import type { Service } from "./service.ts";
import { loadSnapshot, type Tables } from "./store.ts";

/** Every watch that is not ended, as rows and snapshots know it. */
export function loadWatches(db: Db<Tables>, durable: Durable, machine: Service["machine"]): LoadWatches {
  return async () => {
    const rows = await durable.list(machine, { phases: ["watching", "failed"] });
    const stored: StoredWatch[] = [];
    for (const { state } of rows) {
      const { id, spec, judgement } = state;
      const failed = state.phase === "failed";
      const shut = state.phase === "failed" ? state.shut : {};
      stored.push({ id, spec, judgement, failed, shut, snapshot: await loadSnapshot(db, id) });
    }
    return stored;
  };
}
