import { within } from "@slipway/kernel";
import type { Redis } from "ioredis";

/** What an answer may take: one that takes longer is asked of its source instead. */
const commandMs = 150;
const connectMs = 2_000;

export type RedisConnection = {
  readonly redis: Redis;
  /** The last thing that went wrong with the connection itself. */
  lastError(): Error | undefined;
};

/**
 * Connects, and goes on trying where that fails or takes longer than a command may: a command is refused at once while there is no connection, never queued, since one
 * that is done later would be about a state that is gone. `once`: tries once, and waits for what comes of it.
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
    // It would wait for one that loads what is on its disk, for minutes, and say nothing.
    enableReadyCheck: false,
    retryStrategy: (attempt) => (options.once ? null : Math.min(100 * attempt, 2_000)),
  });
  let last: Error | undefined;
  redis.on("error", (error) => {
    last = error;
  });
  const connecting = redis.connect().catch((error: unknown) => {
    last ??= error instanceof Error ? error : new Error(String(error));
  });
  await (options.once ? connecting : within(commandMs, connecting, () => undefined));
  return { redis, lastError: () => last };
}
