import { type Figure, type FigureValue, type Tally, tally } from "@slipway/host";
import { type Clock, type Instant, msBetween } from "@slipway/kernel";
import type { MetricsSource } from "@slipway/metrics";
import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import type { News } from "./news.ts";
import type { NewsQueue } from "./news-queue.ts";
import type { Tables } from "./store.ts";
import type { Watcher } from "./watcher.ts";

export type Watched = {
  readonly watchers: { all(): readonly Watcher[] };
  readonly queue: Pick<NewsQueue, "waiting" | "aside">;
  readonly db: Db<Tables>;
  readonly clock: Clock;
  /** Names of all regions: each is told of, with 0 where nothing is watched. */
  readonly regions: readonly string[];
};

/** What this process watches, from memory: with the database away all of it is told but the watches that nobody has. */
export function watchFigures(watched: Watched): readonly Figure[] {
  const { watchers, queue, db } = watched;
  const gauge = (name: Figure["name"], help: string, labels: Figure["labels"], read: Figure["read"]): Figure => ({
    ...{ name, help, kind: "gauge", labels, read },
  });
  const one = (value: number): readonly FigureValue[] => [{ labels: {}, value }];
  return [
    gauge(
      "slipway_watches",
      "Watches of this process, by what the judge says of them now",
      ["environment", "mode", "verdict"],
      () => countWatches(watchers.all()),
    ),
    gauge(
      "slipway_watch_oldest_look_seconds",
      "How long ago the metrics of a region were read for the watch that has waited longest; 0 where nothing is watched",
      ["region"],
      () => oldest(watched, (watcher) => (watcher.state === "watching" ? watcher.lastSeen() : [])),
    ),
    gauge(
      "slipway_watch_oldest_unshut_seconds",
      "How long this process has tried to take a failed version out of traffic and has not read that it is; 0: all is done",
      ["region"],
      () => oldest(watched, (watcher) => watcher.shutting()),
    ),
    gauge("slipway_watches_unkept", "Watches that no process has", [], async () => one(await countUnkept(db))),
    gauge("slipway_watch_news_waiting", "What this process found and the database does not have yet", [], () =>
      one(queue.waiting.length),
    ),
    gauge("slipway_watch_news_set_aside", "What the database would not take: GET /api/v1/watches shows it", [], () =>
      one(queue.aside.length),
    ),
  ];
}

function countWatches(watchers: readonly Watcher[]): readonly FigureValue[] {
  const found = new Map<string, { readonly labels: FigureValue["labels"]; value: number }>();
  for (const { spec, judgement } of watchers) {
    const labels = { environment: spec.environment, mode: spec.mode, verdict: judgement?.verdict ?? "NONE" };
    const key = Object.values(labels).join();
    const entry = found.get(key) ?? { labels, value: 0 };
    entry.value += 1;
    found.set(key, entry);
  }
  return [...found.values()];
}

function oldest(
  { watchers, clock, regions }: Watched,
  of: (watcher: Watcher) => Iterable<readonly [string, Instant]>,
): readonly FigureValue[] {
  const now = clock.now();
  const longest = new Map(regions.map((region) => [region, 0]));
  for (const watcher of watchers.all())
    for (const [region, since] of of(watcher))
      longest.set(region, Math.max(longest.get(region) ?? 0, msBetween(since, now)));
  return [...longest].map(([region, ms]) => ({ labels: { region }, value: ms / 1_000 }));
}

async function countUnkept(db: Db<Tables>): Promise<number> {
  const { rows } = await sql<{ unkept: number }>`
    select count(*)::float8 as unkept from machine m left join keeper k on k.watch_id = m.id
    where m.kind = 'watch' and m.phase in ('watching', 'failed')
      and (k.watch_id is null or k.kept_until < clock_timestamp())`.execute(db);
  return rows[0]?.unkept ?? 0;
}

/** FAILs that the judge found; those of a person are no verdict. */
export function failTally(environments: readonly string[]): Tally {
  return tally(
    {
      name: "slipway_watch_failures_total",
      help: "Versions that this process found bad",
      labels: ["environment"],
    },
    environments.map((environment) => ({ environment })),
  );
}

export function countFailure(failures: Tally, { spec }: Watcher, news: News): void {
  if (news.type === "Failed" && news.by === undefined) failures.add({ environment: spec.environment });
}

export function readTally(regions: readonly string[]): Tally {
  return tally(
    {
      name: "slipway_watch_reads_total",
      help: "Readings of a region's metrics, one for each watch at each look",
      labels: ["region", "outcome"],
    },
    regions.flatMap((region) => ["read", "failed"].map((outcome) => ({ region, outcome }))),
  );
}

/** The same metrics, with each reading counted. */
export function countingReads(metrics: (region: string) => MetricsSource, reads: Tally) {
  return (region: string): MetricsSource => ({
    async read(request) {
      try {
        const reading = await metrics(region).read(request);
        reads.add({ region, outcome: "read" });
        return reading;
      } catch (error) {
        reads.add({ region, outcome: "failed" });
        throw error;
      }
    },
  });
}
