import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "./logger.ts";

export type ListenOptions = {
  readonly url: string;
  readonly channel: string;
  /** Also called after each (re)connection, since notifications are lost while away. */
  readonly onNotify: (payload: string) => void;
  readonly log: Logger;
};

const checkEveryMs = 15_000;
const longestPauseMs = 2_000;
const goodbyeMs = 1_000;

/** LISTEN on a connection of its own, made anew for ever. Rejects only when the first connection fails. */
export async function listen(options: ListenOptions): Promise<{ close(): Promise<void> }> {
  const { log, channel } = options;
  const stop = new AbortController();
  let current = await connect(options);
  options.onNotify("");
  const keeping = (async () => {
    while (!stop.signal.aborted) {
      await stayConnected(current, stop.signal);
      if (stop.signal.aborted) return;
      log.warn({ channel }, "the listening connection broke");
      const next = await reconnect(options, stop.signal);
      if (next === undefined) return;
      current = next;
      options.onNotify("");
    }
  })();
  return {
    async close() {
      stop.abort();
      await keeping;
      // One that has gone dead never answers the goodbye: nobody's end waits for it.
      await Promise.race([current.end().catch(() => {}), pause(goodbyeMs, undefined, { ref: false })]);
    },
  };
}

async function connect({ url, channel, onNotify }: ListenOptions): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 15_000,
    query_timeout: 5_000,
    keepAlive: true,
    application_name: `slipway-listen-${channel}`,
  });
  // The end is seen by `stayConnected`; without a listener an error would end the process.
  client.on("error", () => {});
  client.on("notification", (message) => onNotify(message.payload ?? ""));
  try {
    await client.connect();
    await client.query(`listen ${pg.escapeIdentifier(channel)}`);
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
}

/** Resolves when the connection is gone. A half-open one is found by asking now and then. */
async function stayConnected(client: pg.Client, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const check = setInterval(() => {
      client.query("select 1").catch(() => done());
    }, checkEveryMs);
    const done = (): void => {
      clearInterval(check);
      signal.removeEventListener("abort", done);
      resolve();
    };
    client.once("end", done);
    client.once("error", done);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
  // Not awaited: a half-open connection may never answer the goodbye.
  if (!signal.aborted) void client.end().catch(() => {});
}

async function reconnect(options: ListenOptions, signal: AbortSignal): Promise<pg.Client | undefined> {
  for (let pauseMs = 50; !signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return await connect(options);
    } catch (error) {
      options.log.debug({ err: error, channel: options.channel }, "listening again failed, will be tried again");
    }
    await abortablePause(pauseMs, signal);
  }
  return undefined;
}

async function abortablePause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
  });
}
