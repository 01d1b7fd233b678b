import { randomUUID } from "node:crypto";
import type { Logger } from "@slipway/sql";
import type { Redis } from "ioredis";
import type { Cache } from "./port.ts";
import { openRedis, type RedisConnection } from "./redis-connection.ts";
import { type RedisAt, redisSentence } from "./redis-problem.ts";
import { fieldOf, keepScript, keyOf, lookScript } from "./redis-scripts.ts";

export type RedisCacheOptions = RedisAt & {
  /** What lies beside other such caches in one Redis, e.g. `lock`: a part of each key. */
  readonly space: string;
  readonly log: Logger;
  /** How old an answer becomes at most, counted from when its subject was first looked for. */
  readonly keepMs: number;
};

/** After a failure nobody looks for so long: a Redis that hangs must not slow every question. */
const pauseMs = 1_000;

/** For all processes that name this Redis, which holds nothing that is not found again without it. */
export function redisCache({ url, urlIn, space, log, keepMs }: RedisCacheOptions): Cache {
  const { host } = new URL(url);
  let opening: Promise<RedisConnection> | undefined;
  let pausedUntil = 0;
  let lost = false;

  const attempt = async <T>(work: (redis: Redis) => Promise<T>): Promise<T | undefined> => {
    opening ??= openRedis(url);
    const { redis, lastError } = await opening;
    try {
      const result = await work(redis);
      if (lost) log.info({ redis: host, space }, "Redis answers again");
      lost = false;
      return result;
    } catch (error) {
      pausedUntil = performance.now() + pauseMs;
      const reason = redisSentence(redis.status === "ready" ? error : (lastError() ?? error), host, urlIn);
      if (!lost) log.warn({ redis: host, space, reason }, "everything is asked at its source until Redis answers");
      lost = true;
      return undefined;
    }
  };
  const paused = () => performance.now() < pausedUntil;

  return {
    async look(subject, question) {
      if (paused()) return undefined;
      const found = await attempt((redis) =>
        redis.eval(lookScript, 1, keyOf(space, subject), fieldOf(question), randomUUID(), String(keepMs)),
      );
      if (!Array.isArray(found) || typeof found[0] !== "string") return undefined;
      return { edition: found[0], answer: typeof found[1] === "string" ? found[1] : null };
    },

    async keep(subject, edition, question, answer) {
      if (paused()) return;
      await attempt((redis) => redis.eval(keepScript, 1, keyOf(space, subject), edition, fieldOf(question), answer));
    },

    async forget(subject) {
      const told = attempt((redis) => redis.del(keyOf(space, subject)));
      // Told also while paused, since others may well look; but then nobody waits for it.
      if (!paused()) await told;
    },

    async close() {
      (await opening)?.redis.disconnect();
    },
  };
}
