import { randomUUID } from "node:crypto";
import type { Logger } from "@slipway/sql";
import type { Redis } from "ioredis";
import { openRedis, type RedisConnection, redisSentence } from "./redis-connection.ts";

/** What was answered about a queue, kept until something about the queue changes. */
export type RedisAnswers = {
  /** The answer, or null where there is none, and the queue's edition; undefined while Redis is of no use. */
  look(queue: string, question: string): Promise<Look | undefined>;
  /** Kept only while the queue is still of this edition: what was read before a change must not arrive after it. */
  keep(queue: string, edition: string, question: string, answer: string): Promise<void>;
  /** Forgets every answer about the queue, which is of a new edition from now on. */
  forget(queue: string): Promise<void>;
  close(): Promise<void>;
};

export type Look = { readonly edition: string; readonly answer: string | null };

export type RedisAnswersOptions = {
  readonly url: string;
  readonly log: Logger;
  /** How old an answer becomes where a process dies between its commit and `forget`, or does not reach the Redis that others reach. */
  readonly keepMs: number;
};

/** After a failure nobody looks for so long: a Redis that hangs must not slow every question. */
const pauseMs = 1_000;

const lookScript = `
local edition = redis.call('HGET', KEYS[1], 'edition')
if not edition then
  edition = ARGV[2]
  redis.call('HSET', KEYS[1], 'edition', edition)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return { edition, redis.call('HGET', KEYS[1], ARGV[1]) }`;

const keepScript = `
if redis.call('HGET', KEYS[1], 'edition') == ARGV[1] then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
return 1`;

/** One hash per queue, so that a cluster of Redis may keep each wherever it likes. */
const keyOf = (queue: string) => `slipway:lock:${queue}`;

/** Nothing here rejects or waits long: with Redis away, empty, slow or full of something else, Postgres is asked instead. */
export function redisAnswers({ url, log, keepMs }: RedisAnswersOptions): RedisAnswers {
  const { host } = new URL(url);
  let opening: Promise<RedisConnection> | undefined;
  let pausedUntil = 0;
  let lost = false;

  const attempt = async <T>(work: (redis: Redis) => Promise<T>): Promise<T | undefined> => {
    opening ??= openRedis(url);
    const { redis, lastError } = await opening;
    try {
      const result = await work(redis);
      if (lost) log.info({ redis: host }, "Redis answers again");
      lost = false;
      return result;
    } catch (error) {
      pausedUntil = performance.now() + pauseMs;
      const reason = redisSentence(redis.status === "ready" ? error : (lastError() ?? error), host);
      if (!lost) log.warn({ redis: host, reason }, "locks are read from Postgres alone until Redis answers");
      lost = true;
      return undefined;
    }
  };
  const paused = () => performance.now() < pausedUntil;

  return {
    async look(queue, question) {
      if (paused()) return undefined;
      const found = await attempt((redis) =>
        redis.eval(lookScript, 1, keyOf(queue), question, randomUUID(), String(keepMs)),
      );
      if (!Array.isArray(found) || typeof found[0] !== "string") return undefined;
      return { edition: found[0], answer: typeof found[1] === "string" ? found[1] : null };
    },

    async keep(queue, edition, question, answer) {
      if (!paused()) await attempt((redis) => redis.eval(keepScript, 1, keyOf(queue), edition, question, answer));
    },

    // Also while paused: others may well look.
    async forget(queue) {
      await attempt((redis) => redis.del(keyOf(queue)));
    },

    async close() {
      (await opening)?.redis.disconnect();
    },
  };
}
