import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Bus, kafkaBus } from "../packages/bus/src/index.ts";
import { type Db, openDb, silentLogger } from "../packages/sql/src/index.ts";
import { freshName, type RealKafka, type RealPart, startKafka, until } from "../packages/testkit/src/index.ts";
import { timesAsked } from "./asked.ts";
import { type BenchDatabase, openDatabase } from "./durable/database.ts";
import { type Benchmark, type Findings, percentile, rounded } from "./figures.ts";
import { fill, type OutboxRows, relay } from "./kafka/outbox.ts";
import { needed, withParts } from "./real-parts.ts";

const perSecond = 5_000;
const seconds = timesAsked(20);
const warmUpSeconds = 3;
const subjects = 500;

type World = {
  readonly broker: RealKafka;
  readonly database: BenchDatabase;
  readonly db: Db<OutboxRows>;
  readonly bus: Bus;
};
type Leg = {
  readonly latencies: readonly number[];
  readonly sent: number;
  readonly lost: number;
  readonly doubled: number;
  readonly perSecond: number;
};

/**
 * One real broker, Postgres with fsync on. Rows are committed to an outbox at an even rate, published in order, and taken by a second process. `bus_` is
 * from the commit of the row until the handler begins, where handlers do nothing else; `kafka_` until the commit of the inbox, one for what was taken together;
 * `per_second` is what that whole way carried. `lost` have not arrived four minutes after the last, `doubled` took effect twice.
 */
export const kafka: Benchmark = {
  name: "kafka",
  measure: (say) => withParts(["kafka"], () => measureKafka(needed("kafka"), say)),
};

export async function measureKafka(part: RealPart, say: (line: string) => void): Promise<Findings> {
  const broker = await startKafka(part);
  const database = await openDatabase("bench", [join(import.meta.dirname, "kafka/migrations")]);
  const db = openDb<OutboxRows>({ url: database.url, schema: database.schema });
  const bus = kafkaBus({ url: broker.url, log: silentLogger });
  const world = { broker, database, db, bus };
  try {
    const plain = await measureLeg(world, "plain", say);
    const whole = await measureLeg(world, "inbox", say);
    return {
      runs: plain.sent + whole.sent,
      figures: {
        bus_p50_ms: rounded(percentile(plain.latencies, 0.5)),
        bus_p99_ms: rounded(percentile(plain.latencies, 0.99)),
        bus_per_second: plain.perSecond,
        kafka_p50_ms: rounded(percentile(whole.latencies, 0.5)),
        kafka_p99_ms: rounded(percentile(whole.latencies, 0.99)),
        per_second: whole.perSecond,
        lost: plain.lost + whole.lost,
        doubled: whole.doubled,
      },
    };
  } finally {
    await bus.close();
    await db.destroy();
    await database.close();
    await broker.stop();
  }
}

async function measureLeg(
  { broker, database, db, bus }: World,
  mode: string,
  say: (line: string) => void,
): Promise<Leg> {
  const topic = freshName("bench");
  const consumer = startConsumer(broker.url, topic, database, mode);
  const run = async (first: number, forSeconds: number) => {
    let filled = false;
    const relaying = relay(db, bus, topic, () => filled);
    const count = await fill(db, first, { perSecond, seconds: forSeconds, subjects });
    filled = true;
    await relaying;
    return count;
  };
  const taken = async (count: number) =>
    await until(() => consumer.taken.length >= count, { what: "all events", timeoutMs: 240_000 }).catch(() => {});
  try {
    await until(() => consumer.ready(), { what: "the consumer", timeoutMs: 60_000 });
    const warm = await run(0, warmUpSeconds);
    await taken(warm);
    const sent = await run(warm, seconds);
    say(`${mode}: ${sent} events published`);
    await taken(warm + sent);
    const measured = consumer.taken.slice(warm);
    const latencies = measured.map(([, ms]) => ms);
    const arrived = new Set(consumer.taken.map(([id]) => id)).size;
    return {
      latencies,
      sent,
      lost: warm + sent - arrived,
      doubled: consumer.taken.length - arrived,
      perSecond: Math.round(latencies.length / secondsBetween(measured)),
    };
  } finally {
    await consumer.stop();
  }
}

/** From the first arrival to the last: longer than rows were committed for, where the way carries less than it is given. */
function secondsBetween(taken: ConsumerProcess["taken"]): number {
  return ((taken.at(-1)?.[2] ?? Number.NaN) - (taken[0]?.[2] ?? Number.NaN)) / 1_000;
}

type ConsumerProcess = {
  /** Id of each event that took effect, how many ms after its row, and when (ms since the epoch); in that order. */
  readonly taken: readonly (readonly [string, number, number])[];
  ready(): boolean;
  stop(): Promise<void>;
};

function startConsumer(kafkaUrl: string, topic: string, { url, schema }: BenchDatabase, mode: string): ConsumerProcess {
  const file = join(import.meta.dirname, "kafka/inbox-worker.ts");
  const child: ChildProcess = spawn(
    process.execPath,
    ["--conditions=@slipway/source", file, kafkaUrl, topic, url, schema, mode],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const taken: [string, number, number][] = [];
  let lines = 0;
  if (child.stdout !== null)
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines += 1;
      taken.push(...(JSON.parse(line) as [string, number, number][]));
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
