import { sql } from "kysely";
import type { Bus } from "../../packages/bus/src/index.ts";
import type { Db } from "../../packages/sql/src/index.ts";
import { testEvent } from "../../packages/testkit/src/index.ts";
import { pause } from "../figures.ts";

type OutboxDb = Db<Record<string, never>>;
type Row = { readonly number: number; readonly subject: string; readonly at: number };

const everyMs = 10;
const atOnce = 500;

export async function makeOutbox(db: OutboxDb): Promise<void> {
  await sql`create table outbox (number bigint generated always as identity primary key, subject text not null, at float8 not null)`.execute(
    db,
  );
}

/** Commits rows at an even rate, whatever becomes of them; answers how many. */
export async function fill(db: OutboxDb, perSecond: number, seconds: number, subjects: number): Promise<number> {
  const began = performance.now();
  let count = 0;
  for (let elapsed = 0; elapsed < seconds * 1_000; elapsed = performance.now() - began) {
    const due = Math.floor((Math.min(elapsed, seconds * 1_000) * perSecond) / 1_000) - count;
    if (due > 0) {
      const own = Array.from({ length: due }, (_, n) => `S-${(count + n) % subjects}`);
      const at = performance.timeOrigin + performance.now();
      await sql`insert into outbox (subject, at) select subject, ${at} from unnest(${own}::text[]) as subject`.execute(
        db,
      );
      count += due;
    }
    await pause(everyMs);
  }
  return count;
}

/** Publishes rows in their order; a row goes once its event is acknowledged. */
export async function relay(db: OutboxDb, bus: Bus, topic: string, until: () => boolean): Promise<void> {
  for (;;) {
    const { rows } = await sql<Row>`select number, subject, at from outbox order by number limit ${atOnce}`.execute(db);
    if (rows.length === 0) {
      if (until()) return;
      await pause(2);
      continue;
    }
    await bus.publish(
      topic,
      rows.map(({ number, subject, at }) => testEvent(`E-${number}`, subject, { at })),
    );
    await sql`delete from outbox where number = any(${rows.map(({ number }) => number)}::bigint[])`.execute(db);
  }
}
