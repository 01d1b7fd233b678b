import type { Figure } from "@slipway/host";
import { within } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import type { LogPlaces } from "./log-reader.ts";
import { countDueLogs, moveLogs } from "./move-logs.ts";

/** How often is looked for logs that are due: as often as they become so, within these. */
const oftenest = 1_000;
const seldomest = 60_000;
/** What hangs is left behind: the log that was on its way is moved by whoever looks next. */
const stopMs = 5_000;

export type LogMover = {
  readonly figures: readonly Figure[];
  /** What is wrong with the store, as a sentence. */
  trouble(): Promise<readonly string[]>;
  close(): Promise<void>;
};

/** Where every process would move them to a disk of its own, logs stay. */
export const noLogMover: LogMover = { figures: [], trouble: async () => [], close: async () => {} };

/** Moves logs of ended builds into the object store, all the time. What keeps them here is told once, and once when it is over. */
export function logMover(places: LogPlaces, endedMs: number, log: Logger): LogMover {
  const everyMs = Math.min(Math.max(endedMs, oftenest), seldomest);
  const stopping = new AbortController();
  let keptHere = false;
  let round: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    try {
      await moveLogs(places, endedMs, stopping.signal);
      if (keptHere) log.info({}, "logs of ended builds move into the object store again");
      keptHere = false;
    } catch (error) {
      if (stopping.signal.aborted || keptHere) return;
      keptHere = true;
      log.warn(
        { err: error },
        "logs of ended builds stay in Postgres for now: they cannot be moved into the object store",
      );
    }
  }

  const run = (): void => {
    round = look().finally(() => {
      if (!stopping.signal.aborted) timer = setTimeout(run, everyMs).unref();
    });
  };
  let timer = setTimeout(run, everyMs).unref();
  return {
    figures: [
      {
        name: "slipway_build_logs_waiting",
        help: "Logs of ended builds that are to be in the object store by now, and are in Postgres",
        kind: "gauge",
        labels: [],
        read: async () => [{ labels: {}, value: await countDueLogs(places.db, endedMs) }],
      },
    ],
    async trouble() {
      const problem = await places.objects.problem();
      return problem === undefined ? [] : [`logs of builds that have ended cannot be moved or read: ${problem}`];
    },
    async close() {
      stopping.abort();
      clearTimeout(timer);
      await within(stopMs, round, () => undefined);
    },
  };
}
