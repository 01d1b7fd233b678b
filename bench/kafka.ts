import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { kafkaBus } from "../packages/bus/src/index.ts";
import { openDb, silentLogger } from "../packages/sql/src/index.ts";
import { freshName, startKafka, until } from "../packages/testkit/src/index.ts";
import { type BenchDatabase, openDatabase } from "./durable/database.ts";
import { type Benchmark, percentile, rounded } from "./figures.ts";
import { fill, makeOutbox, relay } from "./kafka/outbox.ts";

const perSecond = 5_000;
const seconds = 20;
const warmUpSeconds = 3;
const subjects = 500;

/**
 * One real broker, Postgres with fsync on. Rows are committed to an outbox at an even rate, published in order, and taken by a second process, event by
 * event through its inbox. `kafka_p99_ms` is from the commit of the row to the commit of the inbox, `per_second` what the whole way carried;
 * `lost` have not arrived half a minute after the last, `doubled` took effect twice.
 */
export const kafka: Benchmark = {
  name: "kafka",
  async measure(say) {
    const broker = await startKafka();
    const database = await openDatabase("bench");
    const topic = freshName("bench");
    const db = openDb<Record<string, never>>({ url: database.url, schema: database.schema });
    const bus = kafkaBus({ url: broker.url, log: silentLogger });
    const consumer = startConsumer(broker.url, topic, database);
    try {
      await makeOutbox(db);
      await until(() => consumer.ready(), { what: "the consumer", timeoutMs: 60_000 });
      const run = async (forSeconds: number) => {
        let filled = false;
        const relaying = relay(db, bus, topic, () => filled);
        const count = await fill(db, perSecond, forSeconds, subjects);
        filled = true;
        await relaying;
        return count;
      };
      const warm = await run(warmUpSeconds);
      await until(() => consumer.taken.length >= warm, { what: "the first events", timeoutMs: 60_000 }).catch(() => {});
      say(`warm after ${consumer.taken.length} of ${warm} events`);
      const began = performance.now();
      const sent = await run(seconds);
      say(`${sent} events published`);
      await until(() => consumer.taken.length >= warm + sent, { what: "all events", timeoutMs: 30_000 }).catch(
        () => {},
      );
      const tookSeconds = (performance.now() - began) / 1_000;
      const arrived = new Set(consumer.taken.map(([id]) => id)).size;
      const latencies = consumer.taken.slice(warm).map(([, ms]) => ms);
      return {
        runs: sent,
        figures: {
          kafka_p50_ms: rounded(percentile(latencies, 0.5)),
          kafka_p99_ms: rounded(percentile(latencies, 0.99)),
          per_second: Math.round(latencies.length / tookSeconds),
          lost: warm + sent - arrived,
          doubled: consumer.taken.length - arrived,
        },
      };
    } finally {
      await consumer.stop();
      await bus.close();
      await db.destroy();
      await database.close();
      await broker.stop();
    }
  },
};

type ConsumerProcess = {
  /** Id and ms of each event that took effect, in that order. */
  readonly taken: readonly (readonly [string, number])[];
  ready(): boolean;
  stop(): Promise<void>;
};

function startConsumer(kafkaUrl: string, topic: string, { url, schema }: BenchDatabase): ConsumerProcess {
  const file = join(import.meta.dirname, "kafka/inbox-worker.ts");
  const child: ChildProcess = spawn(
    process.execPath,
    ["--conditions=@slipway/source", file, kafkaUrl, topic, url, schema],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const taken: [string, number][] = [];
  let lines = 0;
  if (child.stdout !== null)
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines += 1;
      taken.push(...(JSON.parse(line) as [string, number][]));
    });
  return {
    taken,
    ready: () => lines > 0,
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const cut = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await ended;
      clearTimeout(cut);
    },
  };
}
