import { createDurable, type Durable } from "../packages/durable/src/index.ts";
import { openDb, silentLogger } from "../packages/sql/src/index.ts";
import { type CounterInput, counter, opened } from "./durable/counter.ts";
import { openDatabase } from "./durable/database.ts";
import { type Benchmark, percentile, rounded } from "./figures.ts";

const machines = 1_000;
const inFlight = 100;
const seconds = 8;
const warmUpSeconds = 2;
/** Given to be performed. */
const commands = 5_000;

/**
 * Transitions that are committed with fsync on. `per_second` and `commit_p99_ms` come from one and the same run with 100 inputs under way;
 * `performed_per_second` counts commands that were claimed, performed and recorded, of 5,000 that were given as fast as could be answered.
 */
export const transitions: Benchmark = {
  name: "transitions",
  async measure(say) {
    const database = await openDatabase("bench");
    const db = openDb<Record<string, never>>({ url: database.url, schema: database.schema });
    const durable = createDurable({ db, url: database.url, machines: [counter()], log: silentLogger });
    try {
      const ids = await create(durable);
      await drive(durable, ids, "count", after(warmUpSeconds));
      const plain = await drive(durable, ids, "count", after(seconds));
      say(`${plain.latencies.length} inputs in ${seconds} s`);
      const performed = await driveWithWork(durable, ids);
      say(`${performed.done} commands in ${performed.seconds.toFixed(1)} s`);
      return {
        runs: plain.latencies.length,
        figures: {
          per_second: Math.round(plain.latencies.length / plain.seconds),
          commit_p50_ms: rounded(percentile(plain.latencies, 0.5)),
          commit_p99_ms: rounded(percentile(plain.latencies, 0.99)),
          performed_per_second: Math.round(performed.done / performed.seconds),
        },
      };
    } finally {
      await durable.stop();
      await db.destroy();
      await database.close();
    }
  },
};

async function create(durable: Durable): Promise<readonly string[]> {
  const ids = Array.from({ length: machines }, (_, index) => `C-${index}`);
  for (let at = 0; at < ids.length; at += 50)
    await Promise.all(ids.slice(at, at + 50).map((id) => durable.create(undefined, "counter", id, opened, [])));
  return ids;
}

type Driven = { readonly latencies: readonly number[]; readonly seconds: number };

/** True once that time has passed. */
function after(forSeconds: number): () => boolean {
  const end = performance.now() + forSeconds * 1_000;
  return () => performance.now() >= end;
}

/** A closed loop: each of the senders sends its next input when the one before is committed, until it is over. */
async function drive(
  durable: Durable,
  ids: readonly string[],
  type: CounterInput["type"],
  isOver: (begun: number) => boolean,
): Promise<Driven> {
  const latencies: number[] = [];
  const began = performance.now();
  let begun = 0;
  const sender = async (first: number) => {
    for (let at = first; !isOver(begun); at += inFlight) {
      begun += 1;
      const id = ids[at % ids.length] ?? "";
      const sentAt = performance.now();
      const answer = await durable.send("counter", id, () => ({ type }));
      if (answer.kind !== "applied") throw new Error(`an input was answered with ${answer.kind}`);
      latencies.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, first) => sender(first)));
  return { latencies, seconds: (performance.now() - began) / 1_000 };
}

/** Each input gives its machine a command, whose outcome is a transition again. Counted until the last one is recorded. */
async function driveWithWork(durable: Durable, ids: readonly string[]): Promise<{ done: number; seconds: number }> {
  const began = performance.now();
  await durable.start();
  // So many and no more: what is sent in a time is many times what is performed in it.
  const { latencies } = await drive(durable, ids, "count_and_work", (begun) => begun >= commands);
  await durable.idle();
  return { done: latencies.length, seconds: (performance.now() - began) / 1_000 };
}
