import { resolve } from "node:path";
import type { EnvironmentName, RegionName, ServiceName } from "../../packages/kernel/src/index.ts";
import { type Locks, redisLocks } from "../../packages/lock/src/index.ts";
import { openDb, silentLogger } from "../../packages/sql/src/index.ts";
import { startRedis } from "../../packages/testkit/src/index.ts";
import { timesAsked } from "../asked.ts";
import { type BenchDatabase, openDatabase } from "../durable/database.ts";
import { pause, percentile, rounded } from "../figures.ts";
import { needed } from "../real-parts.ts";
import type { RealLeg } from "./leg.ts";

const times = timesAsked(2_000);
const warmUps = 100;
/** Each has a queue of its own. */
const services = 20;
const regions = ["us-east-1", "eu-west-1", "ap-southeast-1"] as RegionName[];
const askAgainMs = 1;
/** The tables, and in them the tickets of 90 days. */
const migrations = ["../../migrations/deployment", "lock"].map((folder) => resolve(import.meta.dirname, folder));

type Opened = ReturnType<typeof redisLocks>;
/** Milliseconds that each call took. */
type Took = { readonly acquire: number[]; readonly release: number[] };

/**
 * The locks of a service in three regions by the adapter for Redis, whose grants are rows in a Postgres with fsync on (docs/adr/0016). `lock_`: from asking for one that is free
 * until it is granted; `lock_release_`: giving it back. `lock_contended_`: until `acquire` answers, granted or waiting, while a second adapter wants the
 * same lock all the time.
 */
export const lockLeg: RealLeg = {
  name: "lock",
  parts: ["redis"],
  async measure(say) {
    const redis = await startRedis(needed("redis"));
    const database = await openDatabase("deployment", migrations);
    const opened = [openLocks(database, redis.url), openLocks(database, redis.url)] as const;
    const [own, contender] = [opened[0].locks, opened[1].locks];
    try {
      await alone(own, "W", warmUps);
      const free = await alone(own, "A", times);
      say(`${times} times alone`);
      const contended = await against(own, contender, times);
      say(`${contended.length} answers with a contender`);
      return {
        runs: free.acquire.length + contended.length,
        figures: {
          ...pair("lock", free.acquire),
          ...pair("lock_release", free.release),
          ...pair("lock_contended", contended),
        },
      };
    } finally {
      for (const { close } of opened) await close();
      await database.close();
      await redis.stop();
    }
  },
};

function openLocks({ url, schema }: BenchDatabase, redisUrl: string): { locks: Opened; close(): Promise<void> } {
  const db = openDb<Record<string, never>>({ url, schema, max: 4 });
  const locks = redisLocks({ url: redisUrl, db, log: silentLogger });
  return {
    locks,
    async close() {
      await locks.close();
      await db.destroy();
    },
  };
}

async function alone(locks: Locks, name: string, count: number): Promise<Took> {
  const took: Took = { acquire: [], release: [] };
  for (let number = 0; number < count; number += 1) {
    const holder = `${name}-${number}`;
    const request = { holder, targets: targetsOf(`orders-${number % services}`) };
    await timed(took.acquire, async () => {
      const answer = await locks.acquire(request);
      if (answer.kind !== "granted") throw new Error(`${holder} asked for a free lock and is ${answer.kind}`);
    });
    await timed(took.release, () => locks.release(holder));
  }
  return took;
}

/** Both want the same lock again and again until the first had it so often; what the first waited for its answers. */
async function against(own: Locks, contender: Locks, count: number): Promise<readonly number[]> {
  const answers: number[] = [];
  let over = false;
  const others = (async () => {
    for (let number = 0; !over; number += 1) await once(contender, `C-${number}`, []);
  })();
  for (let number = 0; number < count; number += 1) await once(own, `O-${number}`, answers);
  over = true;
  await others;
  return answers;
}

/** Asks until it is granted, and gives it back. */
async function once(locks: Locks, holder: string, answers: number[]): Promise<void> {
  const request = { holder, targets: targetsOf("contended") };
  while ((await timed(answers, () => locks.acquire(request))).kind !== "granted") await pause(askAgainMs);
  await locks.release(holder);
}

async function timed<T>(samples: number[], call: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const answer = await call();
  samples.push(performance.now() - began);
  return answer;
}

function targetsOf(service: string) {
  const names = { service: service as ServiceName, environment: "prod" as EnvironmentName };
  return regions.map((region) => ({ ...names, region }));
}

function pair(name: string, samples: readonly number[]): Record<string, number> {
  return {
    [`${name}_p50_ms`]: rounded(percentile(samples, 0.5)),
    [`${name}_p99_ms`]: rounded(percentile(samples, 0.99)),
  };
}
