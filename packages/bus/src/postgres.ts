import { type Logger, listen, openDb } from "@slipway/sql";
import { type Consumer, consume } from "./consumer.ts";
import { type BusDb, forgetEvents, publishEvents, readEvents } from "./log-store.ts";
import type { Bus } from "./port.ts";

export type PostgresBusOptions = {
  /** Of any role that may log in; the log lives in the schema `bus` of that database. */
  readonly url: string;
  readonly log: Logger;
  /** Connections at most, beside one for LISTEN. Default 3. */
  readonly max?: number;
};

/** A bus kept as a log in Postgres. Connects at first use. */
export function postgresBus({ url, log, max = 3 }: PostgresBusOptions): Bus {
  const db: BusDb = openDb({ url, schema: "bus", max, applicationName: "slipway-bus", log });
  const consumers = new Set<Consumer>();
  let listener: Promise<{ close(): Promise<void> }> | undefined;

  function wakeAll(topic: string): void {
    for (const consumer of consumers) consumer.wake(topic);
  }

  return {
    publish: (topic, events) => publishEvents(db, topic, events),
    read: (topic, from, limit) => readEvents(db, topic, from, limit),

    forget: (olderThanMs, limit) => forgetEvents(db, olderThanMs, limit),

    // Its database is the service's own, of which the service tells itself.
    ready: async () => undefined,

    async subscribe(options) {
      listener ??= listen({ url, channel: "slipway_bus", onNotify: wakeAll, log });
      await listener.catch((error: unknown) => {
        // Whoever asks again, asks anew.
        listener = undefined;
        throw error;
      });
      const consumer = await consume(db, options, log);
      consumers.add(consumer);
      return {
        async stop() {
          await consumer.stop();
          consumers.delete(consumer);
        },
      };
    },

    async close() {
      await Promise.all([...consumers].map((consumer) => consumer.stop()));
      await (await listener)?.close();
      await db.destroy();
    },
  };
}
