import type { Bus } from "../../packages/bus/src/index.ts";
import type { Db } from "../../packages/sql/src/index.ts";
import { testEvent } from "../../packages/testkit/src/index.ts";
import { pause } from "../figures.ts";

export type OutboxRows = { outbox: { number: number; subject: string; at: number } };
type OutboxDb = Db<OutboxRows>;

const everyMs = 10;
const atOnce = 500;

/** Commits rows, numbered from `first` on, at an even rate, whatever becomes of them; answers how many. */
export async function fill(
  db: OutboxDb,
  first: number,
  { perSecond, seconds, subjects }: { perSecond: number; seconds: number; subjects: number },
): Promise<number> {
  const began = performance.now();
  let count = 0;
  for (let elapsed = 0; elapsed < seconds * 1_000; elapsed = performance.now() - began) {
    const due = Math.floor((Math.min(elapsed, seconds * 1_000) * perSecond) / 1_000) - count;
    if (due > 0) {
      const at = performance.timeOrigin + performance.now();
      const numbers = Array.from({ length: due }, (_, n) => first + count + n);
      await db
        .insertInto("outbox")
        .values(numbers.map((number) => ({ number, subject: `S-${number % subjects}`, at })))
        .execute();
      count += due;
    }
    await pause(everyMs);
  }
  return count;
}

/** Publishes rows in their order; a row goes once its event is acknowledged. */
export async function relay(db: OutboxDb, bus: Bus, topic: string, until: () => boolean): Promise<void> {
  for (;;) {
    const rows = await db.selectFrom("outbox").selectAll().orderBy("number").limit(atOnce).execute();
    if (rows.length === 0) {
      if (until()) return;
      await pause(2);
      continue;
    }
    await bus.publish(
      topic,
      rows.map(({ number, subject, at }) => testEvent(`E-${number}`, subject, { at })),
    );
    const numbers = rows.map(({ number }) => number);
    await db.deleteFrom("outbox").where("number", "in", numbers).execute();
  }
}
