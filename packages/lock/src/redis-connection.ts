import type { Redis } from "ioredis";

/** What an answer may take: one that takes longer is asked of Postgres instead. */
const commandMs = 150;
const connectMs = 2_000;

export type RedisConnection = {
  readonly redis: Redis;
  /** The last thing that went wrong with the connection itself. */
  lastError(): Error | undefined;
};

/**
 * Connects, and goes on trying where that fails: a command is refused at once while there is no connection, never queued, since one that is done
 * later would be about a state that is gone.
 */
export async function openRedis(url: string, options: { readonly once?: boolean } = {}): Promise<RedisConnection> {
  // Its 2 MB are for those who use it. By its default export: in a bundle there is no other.
  const { Redis } = (await import("ioredis")).default;
  const redis = new Redis(url, {
    lazyConnect: true,
    connectionName: "slipway",
    connectTimeout: connectMs,
    commandTimeout: options.once ? connectMs : commandMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => (options.once ? null : Math.min(100 * attempt, 2_000)),
  });
  let last: Error | undefined;
  redis.on("error", (error) => {
    last = error;
  });
  await redis.connect().catch((error: unknown) => {
    last ??= error instanceof Error ? error : new Error(String(error));
  });
  return { redis, lastError: () => last };
}

/** Why Redis at this URL is of no use, as a sentence that says what to do; undefined when it is well. */
export async function redisProblem(url: string): Promise<string | undefined> {
  const { host } = new URL(url);
  const { redis, lastError } = await openRedis(url, { once: true });
  try {
    const info = await redis.info("server");
    const version = /redis_version:(\d+)\.(\d+)/.exec(info);
    const tooOld = version !== null && Number(version[1]) < 6;
    return tooOld
      ? `Redis at ${host} is ${version[1]}.${version[2]}: upgrade it to 6.0 or later, or name another in SLIPWAY_LOCK_URL`
      : undefined;
  } catch (error) {
    return redisSentence(lastError() ?? error, host);
  } finally {
    redis.disconnect();
  }
}

const remedies: readonly (readonly [RegExp, (host: string) => string])[] = [
  [
    /WRONGPASS|invalid password|NOAUTH/i,
    (host) => `Redis at ${host} refuses the user and password of SLIPWAY_LOCK_URL: correct them there`,
  ],
  [
    /NOPERM/,
    (host) =>
      `the Redis user of SLIPWAY_LOCK_URL may not do at ${host} what locks need: allow it EVAL, HGET, HSET, PEXPIRE, DEL and INFO on keys slipway:*`,
  ],
  [/ECONNREFUSED/, (host) => `nothing listens at ${host}: start Redis, or correct host and port in SLIPWAY_LOCK_URL`],
  [/ENOTFOUND|EAI_AGAIN/, (host) => `the host of ${host} is not known: correct SLIPWAY_LOCK_URL`],
  // A Redis without TLS waits for ever for the end of what it takes for a command.
  [
    /ETIMEDOUT|timed out/,
    (host) =>
      `nothing answers in time at ${host}: correct host and port in SLIPWAY_LOCK_URL, and say redis://, or rediss:// for TLS`,
  ],
  [
    /certificate|SSL|TLS|EPROTO/i,
    (host) =>
      `no TLS connection with ${host} can be made: rediss:// needs a server that speaks TLS with a certificate that this machine trusts`,
  ],
  [
    /ECONNRESET|EPIPE|Connection is closed/,
    (host) =>
      `Redis at ${host} broke the connection off: say rediss:// in SLIPWAY_LOCK_URL where it speaks TLS, else see its own log`,
  ],
  [/Protocol error|unexpected/i, (host) => `what listens at ${host} is not Redis: correct SLIPWAY_LOCK_URL`],
  [/READONLY/, (host) => `Redis at ${host} is a replica: name the primary in SLIPWAY_LOCK_URL`],
];

/** Never holds more of the URL than its host. */
export function redisSentence(error: unknown, host: string): string {
  const text = error instanceof Error ? `${"code" in error ? String(error.code) : ""} ${error.message}` : String(error);
  const known = remedies.find(([pattern]) => pattern.test(text));
  return (
    known?.[1](host) ??
    `Redis at ${host} does not answer (${error instanceof Error ? error.message : "no reason given"})`
  );
}
