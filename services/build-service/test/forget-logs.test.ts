import { readFile } from "node:fs/promises";
import type { BuildId } from "@slipway/kernel";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forgetLogs } from "../src/forget-logs.ts";
import { type LogPlaces, readLog } from "../src/log-reader.ts";
import { moveLogs } from "../src/move-logs.ts";
import type { BuildTables } from "../src/tables.ts";
import { day, forgottenText, type KeptLogs, keptLogs, logText, printed, whereabouts } from "./kept-logs.ts";

const text = printed.join("");

let kept: KeptLogs;
let places: LogPlaces;
let objects: LogPlaces["objects"];
beforeAll(async () => {
  kept = await keptLogs();
  ({ places } = kept);
  ({ objects } = places);
});
afterAll(() => kept.close());

test("a log that is forgotten takes its object with it, also one that nobody had noted, and reads as forgotten", async () => {
  const moved = await kept.ended({ agoMs: 100 * day });
  const half = await kept.ended({ agoMs: 100 * day });
  await moveLogs(places, 1_000);
  // As if its mover had been killed before it could note this.
  await sql`update build_log set object = null, object_length = null, claimed_until = clock_timestamp() where build_id = ${half}`.execute(
    kept.db,
  );
  const young = await kept.ended();

  for (const _ of ["once", "and again"]) await forgetLogs(places, 90 * day);

  for (const id of [moved, half]) {
    expect(await objects.list(`logs/${id}/`)).toEqual([]);
    expect(await logText(places, id)).toBe(forgottenText);
    expect(await whereabouts(kept.db, id)).toMatchObject({ object: null, forgotten: true });
  }
  expect(await logText(places, young)).toBe(text);
  await moveLogs(places, 0);
  expect(await objects.list(`logs/${moved}/`)).toEqual([]);
});

test("where the store is away the row says that the log is forgotten, and the object goes when it is back", async () => {
  const id = await kept.ended({ agoMs: 100 * day });
  await moveLogs(places, 1_000);

  await kept.storeAway(async () => {
    await expect(forgetLogs(places, 90 * day)).rejects.toThrow();
    expect(await logText(places, id)).toBe(forgottenText);
  });
  expect(await objects.list(`logs/${id}/`)).toHaveLength(1);

  await forgetLogs(places, 90 * day);
  expect(await objects.list(`logs/${id}/`)).toEqual([]);
  expect(await kept.db.selectFrom("build_log_left").selectAll().execute()).toEqual([]);
});

test("a log that is forgotten while it is read is read to its end, and as forgotten from then on", async () => {
  const long = Array.from({ length: 20_000 }, (_, n) => `test | line ${n}\n`).join("");
  const id = await kept.ended({ agoMs: 100 * day, lines: [long] });
  await moveLogs(places, 1_000);
  const reader = readLog(places, id, 0);
  const { value: first } = await reader.next();
  expect((first as Buffer).length).toBeLessThan(long.length / 3);

  await forgetLogs(places, 90 * day);

  const rest: Buffer[] = [first as Buffer];
  for await (const piece of reader) rest.push(piece);
  expect(Buffer.concat(rest).toString("utf8")).toBe(long);
  expect(await logText(places, id)).toBe(forgottenText);
});

test("a program of the version before says in place of a moved log where it is, and may forget it", async () => {
  const id = await kept.ended({ agoMs: 100 * day });
  await moveLogs(places, 1_000);

  expect(await readAsBefore(id, 0)).toMatch(/^the log of this build is in the object store now .* a newer one does\n$/);
  expect(await readAsBefore(id, 5_000)).toBe("");
  await forgetAsBefore(id);

  expect(await logText(places, id)).toBe(forgottenText);
  await forgetLogs(places, 90 * day);
  expect(await logText(places, id)).toBe(forgottenText);
  expect(await objects.list(`logs/${id}/`)).toEqual([]);
});

/** The statement by which 0.1.0 reads. */
async function readAsBefore(id: BuildId, from: number): Promise<string> {
  const { rows } = await sql<{ at: number; bytes: Buffer }>`
    select at, bytes from build_log_chunk where build_id = ${id} and at >= (
      select coalesce(max(before.at), 0) as at from build_log_chunk as before where before.build_id = ${id} and before.at <= ${from}
    ) order by at limit 64`.execute(kept.db);
  return rows.map(({ at, bytes }) => (at >= from ? bytes : bytes.subarray(from - at)).toString("utf8")).join("");
}

/** The statements by which 0.1.0 forgets. */
async function forgetAsBefore(id: BuildId): Promise<void> {
  const instead = Buffer.from(forgottenText);
  await sql`delete from build_log_chunk where build_id in (${id})`.execute(kept.db);
  await sql`insert into build_log_chunk (build_id, at, bytes) values (${id}, 0, ${instead})`.execute(kept.db);
  await sql`update build_log set length = ${instead.length} where build_id in (${id})`.execute(kept.db);
}

test("a log that an earlier version had forgotten is known as such once the schema is today's, and is not moved", async () => {
  const [forgotten, other] = [await kept.ended({ lines: [forgottenText] }), await kept.ended()];
  const file = new URL("../../../migrations/build/0004_log_object.sql", import.meta.url);
  const [update = ""] = /^update build_log[^;]+;/m.exec(await readFile(file, "utf8")) ?? [];

  await sql.raw(update).execute(kept.db);

  expect((await whereabouts(kept.db, forgotten)).forgotten).toBe(true);
  expect(await moveLogs(places, 1_000)).toBe(1);
  expect((await whereabouts(kept.db, other)).object).not.toBeNull();
  expect(await logText(places, forgotten)).toBe(forgottenText);
});

test("a database that was restored from before a move has the log, and one from after it finds it; both move and read on", async () => {
  const [before, after] = [await kept.ended(), await kept.ended()];
  await sql`update build_log set known_at = clock_timestamp() where build_id = ${before}`.execute(kept.db);
  expect(await moveLogs(places, 60_000)).toBe(1);
  await kept.database.backup();
  const lost: LogPlaces = { objects, db: kept.database.db<BuildTables>("build") };
  await moveLogs(lost, 0);
  expect((await whereabouts(lost.db, before)).object).not.toBeNull();

  await kept.database.restore();

  const restored: LogPlaces = { objects, db: kept.database.db<BuildTables>("build") };
  expect((await whereabouts(restored.db, before)).here).toBe(text);
  for (const id of [before, after]) expect(await logText(restored, id)).toBe(text);
  expect(await moveLogs(restored, 0)).toBe(1);
  for (const id of [before, after]) expect(await logText(restored, id)).toBe(text);
  expect(await objects.list(`logs/${before}/`)).toHaveLength(1);
});
