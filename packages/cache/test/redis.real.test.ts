import { connect } from "node:net";
import { type Logger, silentLogger } from "@slipway/sql";
import { cacheContract, realPart, startFaultProxy, startRedis, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answering, type Cache, redisCache } from "../src/index.ts";

const part = realPart("redis");
type Redis = Awaited<ReturnType<typeof startRedis>>;

let redis: Redis;
const opened: Cache[] = [];

beforeAll(async () => {
  if (part === undefined) return;
  redis = await startRedis(part);
});
afterAll(async () => {
  for (const cache of opened) await cache.close();
  await redis?.stop();
});

function open(keepMs = 3_600_000, { url = redis.url, log = silentLogger, space = "test" } = {}): Cache {
  const cache = redisCache({ url, urlIn: "SLIPWAY_CACHE_URL", space, log, keepMs });
  opened.push(cache);
  return cache;
}

describe.skipIf(part === undefined)("a cache in a real Redis", () => {
  cacheContract((keepMs) => ({ cache: open(keepMs), elsewhere: open(keepMs) }));

  test("is apart from another one of another name in the same Redis", async () => {
    const [one, other] = [open(), open(undefined, { space: "other" })];
    const { edition } = await until(() => one.look("D-1", "who"), { what: "it to be of use" });
    await one.keep("D-1", edition, "who", "ada");

    expect((await until(() => other.look("D-1", "who"), { what: "the other to be of use" })).answer).toBeNull();
    await other.forget("D-1");
    expect((await until(() => one.look("D-1", "who"), { what: "it to be of use" })).answer).toBe("ada");
  });

  test("leaves nothing behind: each key has its time", async () => {
    const cache = open(60_000, { space: "ends" });
    const { edition } = await until(() => cache.look("D-1", "who"), { what: "it to be of use" });
    await cache.keep("D-1", edition, "who", "ada");

    const left = Number((await say("PTTL slipway:ends:D-1")).slice(1));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
  });

  test("says once that Redis is away and once that it is back, and what somebody else put in its place harms nobody", async () => {
    const lines: string[] = [];
    const write = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
    const log: Logger = { debug: write, info: write, warn: write, error: write };
    const cache = open(undefined, { log });
    await until(() => cache.look("D-2", "who"), { what: "it to be of use" });

    await redis.kill();
    expect(await cache.look("D-2", "who")).toBeUndefined();
    await cache.forget("D-2");
    await redis.start();
    await until(() => cache.look("D-2", "who"), { what: "it to be of use again" });

    const told = (text: string) => lines.filter((line) => line.includes(text));
    expect(told("until Redis answers")).toHaveLength(1);
    expect(told("Redis answers again")).toHaveLength(1);
    await say("SET slipway:test:D-3 no-hash");
    expect(await cache.look("D-3", "who")).toBeUndefined();
  });
});

type Trouble = { readonly url: string; round(between: () => Promise<unknown>): Promise<void>; stop(): Promise<void> };

const troubles: Readonly<Record<string, () => Promise<Trouble>>> = {
  "Redis is killed, wiped and halted": async () => ({
    url: redis.url,
    async round(between) {
      await between();
      await redis.kill("SIGSTOP");
      await between();
      await redis.kill("SIGCONT");
      await between();
      await redis.kill();
      await between();
      await redis.start();
    },
    stop: async () => undefined,
  }),
  "the network to Redis delays, drops and cuts": async () => {
    const network = await startFaultProxy(redis.port);
    return {
      url: `redis://127.0.0.1:${network.port}`,
      async round(between) {
        network.delay(30);
        await between();
        network.swallow(true);
        await between();
        network.cut();
        await between();
        network.swallow(false);
        network.delay(0);
        await between();
      },
      stop: () => network.stop(),
    };
  },
};

describe.skipIf(part === undefined).each(Object.entries(troubles))("while %s again and again", (_what, begin) => {
  const keepMs = 400;
  /** For turns of this process and of Redis that come late; the bound is of the cache. */
  const slackMs = 1_500;

  test("everybody is answered, soon, and nobody is given what is older than answers become, wherever it was changed", async () => {
    const trouble = await begin();
    const own = open(keepMs, { url: trouble.url });
    // The last one meets no trouble of the network.
    const reached = [own, open(keepMs, { url: trouble.url }), open(keepMs)];
    const asking = reached.map((cache) => answering(cache));
    /** When each value was replaced, by its number. */
    const replacedAt: number[] = [];
    let used = 0;
    let over = false;

    const change = async () => {
      while (!over) {
        replacedAt.push(performance.now());
        await reached[replacedAt.length % reached.length]?.forget("D-1");
        await new Promise((resolve) => setTimeout(resolve, 7));
      }
    };
    const read = async (answer: ReturnType<typeof answering>, meetsTrouble: boolean) => {
      while (!over) {
        const began = performance.now();
        let asked = false;
        const value = await answer("D-1", "value", {
          read: Number,
          async ask() {
            asked = true;
            return replacedAt.length;
          },
        });
        if (!asked && meetsTrouble) used += 1;
        expect(performance.now() - began, "a question took so long").toBeLessThan(slackMs);
        expect(began - (replacedAt[value] ?? Number.POSITIVE_INFINITY), "so old").toBeLessThan(keepMs + slackMs);
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
    };
    const all = Promise.all([
      change(),
      ...asking.flatMap((answer, at) => [read(answer, at < 2), read(answer, at < 2)]),
    ]);
    const end = () => {
      over = true;
    };
    all.catch(end);
    let rounds = 0;
    const usedAgain = async () => {
      const before = used;
      await until(() => over || used > before + 20, { what: "answers to be found again" });
    };
    for (; rounds < 3; rounds += 1) {
      await trouble.round(() => reached[0]?.look(`D-${rounds}`, "who") ?? Promise.resolve());
      await usedAgain();
    }
    end();
    await all;
    await trouble.stop();

    expect(rounds).toBe(3);
    expect(used).toBeGreaterThan(60);
  });
});

function say(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(redis.port, "127.0.0.1", () => socket.write(`${command}\r\n`));
    socket.once("error", reject);
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString().trim());
    });
  });
}
