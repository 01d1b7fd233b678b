import { connect } from "node:net";
import type { EnvironmentName, RegionName, ServiceName } from "@slipway/kernel";
import { type Logger, silentLogger } from "@slipway/sql";
import {
  freePort,
  type LockWorld,
  lockContract,
  realPart,
  startFaultProxy,
  startRedis,
  type TestDatabase,
  testDatabase,
  until,
} from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresLocks, redisLocks } from "../src/index.ts";

const part = realPart("redis");
type Redis = Awaited<ReturnType<typeof startRedis>>;
type RedisLocks = ReturnType<typeof redisLocks>;

let database: TestDatabase;
let redis: Redis;
const opened: RedisLocks[] = [];

beforeAll(async () => {
  if (part === undefined) return;
  database = await testDatabase("deployment");
  redis = await startRedis(part);
});
afterAll(async () => {
  for (const locks of opened) await locks.close();
  await redis?.stop();
  await database?.close();
});

function open(url = redis.url, log: Logger = silentLogger): RedisLocks {
  const locks = redisLocks({ url, db: database.db("deployment"), log });
  opened.push(locks);
  return locks;
}

function targets(service: string, regions: string) {
  return regions.split("").map((region) => ({
    service: service as ServiceName,
    environment: "prod" as EnvironmentName,
    region: region as RegionName,
  }));
}

describe.skipIf(part === undefined)("locks in Postgres behind a real Redis", () => {
  let world: LockWorld;
  beforeAll(() => {
    world = { locks: open(), elsewhere: open() };
  });
  lockContract(() => world);
});

type Trouble = { readonly url: string; round(ask: () => Promise<unknown>): Promise<void>; stop(): Promise<void> };

const troubles: Readonly<Record<string, () => Promise<Trouble>>> = {
  "Redis is killed, wiped and halted": async () => ({
    url: redis.url,
    async round(ask) {
      await redis.kill("SIGSTOP");
      await ask();
      await redis.kill("SIGCONT");
      await redis.kill();
      await ask();
      await redis.start();
    },
    stop: async () => undefined,
  }),
  "the network to Redis delays, drops and cuts": async () => {
    const network = await startFaultProxy(redis.port);
    return {
      url: `redis://127.0.0.1:${network.port}`,
      async round(ask) {
        network.delay(30);
        await ask();
        network.swallow(true);
        await ask();
        network.cut();
        await ask();
        network.swallow(false);
        network.delay(0);
        await ask();
      },
      stop: () => network.stop(),
    };
  },
};

describe.skipIf(part === undefined).each(Object.entries(troubles))("locks while %s again and again", (_what, begin) => {
  let world: LockWorld;
  let trouble: Trouble;
  let rounds: Promise<number>;
  let over = false;
  // The suite's holders have one life each.
  let own: TestDatabase;

  beforeAll(async () => {
    own = await testDatabase("deployment");
    trouble = await begin();
    const locks = () => redisLocks({ url: trouble.url, db: own.db("deployment"), log: silentLogger });
    const both = [locks(), locks()] as const;
    opened.push(...both);
    world = { locks: both[0], elsewhere: both[1] };
    rounds = makeTrouble();
  });
  afterAll(async () => {
    over = true;
    expect(await rounds).toBeGreaterThan(2);
    await trouble.stop();
    await own.close();
  });

  /** Each kill wipes it, too: it keeps nothing on disk. */
  async function makeTrouble(): Promise<number> {
    let made = 0;
    for (; !over; made += 1) await trouble.round(() => world.elsewhere.holders(targets("trouble", "a")));
    return made;
  }

  lockContract(() => world);
});

describe.skipIf(part === undefined)("Redis before the locks", () => {
  test("answers who waits and who holds without Postgres, and says the news as soon as there are any", async () => {
    const db = database.db("deployment");
    const cut = redisLocks({ url: redis.url, db, log: silentLogger, keepMs: 600_000 });
    opened.push(cut);
    const other = open();
    await cut.acquire({ holder: "F-1", targets: targets("fast", "ab") });
    const asked = { holder: "F-2", targets: targets("fast", "b") };
    const first = await cut.acquire(asked);
    // Its own ticket was news to the queue: the second answer is the one that stays.
    await cut.acquire(asked);
    const holders = await cut.holders(targets("fast", "ab"));

    await db.destroy();

    expect(await cut.acquire(asked)).toEqual(first);
    expect(await cut.holders(targets("fast", "ab"))).toEqual(holders);
    await other.release("F-1");
    await expect(cut.acquire(asked)).rejects.toThrow();
    expect(await other.acquire(asked)).toMatchObject({ kind: "granted", epochs: { b: 2 } });
  });

  test("holds nothing that is needed: killed and wiped, it loses no lock and repeats no epoch", async () => {
    const [mine, other] = [open(), open()];
    const one = targets("wiped", "a");
    await mine.acquire({ holder: "W-1", targets: one });
    const waiting = await other.acquire({ holder: "W-2", targets: one });

    await redis.kill();
    expect(await other.acquire({ holder: "W-2", targets: one })).toEqual(waiting);
    expect(await mine.holders(one)).toMatchObject([{ holder: "W-1", epoch: 1, waiting: ["W-2"] }]);
    await redis.start();
    expect(await other.acquire({ holder: "W-2", targets: one })).toEqual(waiting);
    await mine.release("W-1");

    expect(await other.acquire({ holder: "W-2", targets: one })).toEqual({ kind: "granted", epochs: { a: 2 } });
    expect(await mine.acquire({ holder: "W-1", targets: one })).toEqual({ kind: "lost", to: "W-1" });
  });

  test("is used again once it is back, and what lies in it in our place is not believed", async () => {
    const lines: string[] = [];
    const log = recording(lines);
    const locks = open(redis.url, log);
    const one = targets("back", "a");
    await locks.acquire({ holder: "B-1", targets: one });
    await redis.kill();
    await locks.holders(one);
    await redis.start();

    await until(async () => (await locks.holders(one)) && lines.includes("Redis answers again"), {
      what: "the locks use Redis again",
    });

    await say(`HSET slipway:lock:prod/back edition e "answer target a" "[1]"`);
    expect(await locks.holders(one)).toMatchObject([{ holder: "B-1", epoch: 1 }]);
    expect(lines.filter((line) => line.includes("until Redis answers"))).toHaveLength(1);
  });

  test("of a URL that leads nowhere is done without, and its password is not told", async () => {
    const lines: string[] = [];
    const locks = open(`redis://:hidden@127.0.0.1:${await freePort()}`, recording(lines));
    const one = targets("nowhere", "a");

    expect(await locks.acquire({ holder: "N-1", targets: one })).toMatchObject({ kind: "granted" });
    expect(await locks.holders(one)).toMatchObject([{ holder: "N-1" }]);

    expect(lines.join(" ")).toMatch(/nothing listens at .*SLIPWAY_LOCK_URL/);
    expect(lines.join(" ")).not.toContain("hidden");
  });

  function say(command: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(redis.port, "127.0.0.1", () => socket.write(`${command}\r\n`));
      socket.once("error", reject);
      socket.once("data", () => {
        socket.destroy();
        resolve();
      });
    });
  }
});

function recording(lines: string[]): Logger {
  const write = (fields: object, message: string) => void lines.push(message, JSON.stringify(fields));
  return { debug: write, info: write, warn: write, error: write };
}

test.skipIf(part === undefined)("who has no Redis is told the same: the rows are the same", async () => {
  const one = targets("shared", "a");
  const alone = postgresLocks({ db: database.db("deployment"), log: silentLogger });
  await open().acquire({ holder: "S-1", targets: one });

  expect(await alone.acquire({ holder: "S-2", targets: one })).toMatchObject({ kind: "waiting", behind: "S-1" });
});
