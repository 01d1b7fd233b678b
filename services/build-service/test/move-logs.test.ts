import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProblemError } from "@slipway/contracts";
import type { BuildId } from "@slipway/kernel";
import { fileObjects, type Objects } from "@slipway/objects";
import type { Db, Logger } from "@slipway/sql";
import { type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forgetLogs } from "../src/forget-logs.ts";
import { logMover } from "../src/log-mover.ts";
import { type LogPlaces, readLog } from "../src/log-reader.ts";
import { appendLog } from "../src/log-store.ts";
import { moveLogs } from "../src/move-logs.ts";
import type { BuildTables } from "../src/tables.ts";
import { endedBuild, logText, whereabouts } from "./ended-build.ts";

const day = 86_400_000;
/** More chunks than are read at a time, with characters of several bytes. */
const printed = Array.from({ length: 200 }, (_, n) => `test | line ${n} of many\ntest | grüße ${n} 你好\n`);
const text = printed.join("");
const forgottenText = "what this build printed was removed once logs are not kept any more (SLIPWAY_KEEP_BUILD_LOGS)\n";

let folder: string;
let database: TestDatabase;
let db: Db<BuildTables>;
let objects: Objects;
let places: LogPlaces;
let root: string;
let builds = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-logs-"));
  root = join(folder, "objects");
  database = await testDatabase("build");
  db = database.db<BuildTables>("build");
  objects = fileObjects({ root });
  places = { db, objects };
});
afterAll(async () => {
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

function ended(options: Parameters<typeof endedBuild>[3] = {}, lines = printed): Promise<BuildId> {
  builds += 1;
  return endedBuild(db, builds, lines, options);
}

async function storeAway(work: () => Promise<void>): Promise<void> {
  await rename(root, `${root}-away`);
  await writeFile(root, "no folder");
  try {
    await work();
  } finally {
    await rm(root);
    await rename(`${root}-away`, root);
  }
}

test("a log that has moved is one packed object, and reads as before from every offset", async () => {
  const id = await ended();
  const bytes = Buffer.from(text);

  expect(await moveLogs(places, 1_000)).toBe(1);

  const { object, here } = await whereabouts(db, id);
  expect(object).toBe(`logs/${id}/${bytes.length}.gz`);
  expect(here).not.toContain("line 1 of many");
  const [stored] = await objects.list(`logs/${id}/`);
  expect(stored?.key).toBe(object);
  expect(stored?.size).toBeLessThan(bytes.length / 3);
  const middle = Math.floor(bytes.length / 2);
  for (const from of [0, 1, middle, middle + 1, bytes.length - 1, bytes.length, bytes.length + 10])
    expect(await logText(places, id, from)).toBe(bytes.subarray(from).toString("utf8"));
  expect(await moveLogs(places, 1_000)).toBe(0);
});

test("pieces of a moved log end with a line, so that each is text of its own", async () => {
  const id = await ended({}, [Array.from({ length: 20_000 }, (_, n) => `test | 你好 ${n}\n`).join("")]);
  await moveLogs(places, 1_000);

  const pieces: Buffer[] = [];
  for await (const piece of readLog(places, id, 0)) pieces.push(piece);

  expect(pieces.length).toBeGreaterThan(3);
  expect(pieces.every((piece) => piece.at(-1) === 10)).toBe(true);
});

test("a reader notices nothing of a move between two of its reads", async () => {
  for (const before of [1, 64, 65, 130]) {
    const id = await ended();
    const reader = readLog(places, id, 0);
    const pieces: Buffer[] = [];
    for (let n = 0; n < before; n += 1) {
      const { value } = await reader.next();
      pieces.push(value as Buffer);
    }

    expect(await moveLogs(places, 1_000)).toBe(1);

    for await (const piece of reader) pieces.push(piece);
    expect(Buffer.concat(pieces).toString("utf8")).toBe(text);
  }
});

test("what is written after the move is read behind it", async () => {
  const id = await ended({}, ["slipway | cancelled\n"]);
  await moveLogs(places, 1_000);

  await appendLog(db, id, "test | the step's last words\n");

  expect(await logText(places, id)).toBe("slipway | cancelled\ntest | the step's last words\n");
  expect(await logText(places, id, 20)).toBe("test | the step's last words\n");
  expect(await logText(places, id, 25)).toBe("| the step's last words\n");
});

test("logs move once their build has ended for so long, and the program that moves them was there for so long", async () => {
  const young = await ended({ agoMs: 30_000 });
  const running = await ended({ phase: "running" });
  const upgraded = await ended();
  await sql`update build_log set known_at = clock_timestamp() where build_id = ${upgraded}`.execute(db);

  expect(await moveLogs(places, 60_000)).toBe(0);
  for (const id of [young, running, upgraded]) expect((await whereabouts(db, id)).object).toBeNull();

  expect(await moveLogs(places, 0)).toBe(2);
  expect((await whereabouts(db, running)).object).toBeNull();
});

test("several at once move each log once", async () => {
  const ids = await Promise.all([ended(), ended(), ended(), ended()]);
  const puts: string[] = [];
  const counted: LogPlaces = {
    db,
    objects: {
      ...objects,
      put: async (key, body) => {
        puts.push(key);
        return await objects.put(key, body);
      },
    },
  };

  const moved = await Promise.all([1, 2, 3].map(() => moveLogs(counted, 1_000)));

  expect(moved.reduce((sum, count) => sum + count, 0)).toBe(4);
  expect(puts).toHaveLength(4);
  for (const id of ids) expect(await logText(places, id)).toBe(text);
});

test("two who move the same log, one of them late, leave it whole", async () => {
  const id = await ended();
  const slow = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const late: LogPlaces = {
    db,
    objects: {
      ...objects,
      put: async (key, body) => {
        reached.resolve();
        await slow.promise;
        return await objects.put(key, body);
      },
    },
  };
  const first = moveLogs(late, 1_000);
  await reached.promise;
  // As after ten minutes.
  await sql`update build_log set claimed_until = clock_timestamp() where build_id = ${id}`.execute(db);
  expect(await moveLogs(places, 1_000)).toBe(1);

  slow.resolve();

  expect(await first).toBe(0);
  expect(await logText(places, id)).toBe(text);
});

test("what dies after the object and before the row loses nothing, and is done again", async () => {
  const id = await ended();
  const dying: LogPlaces = {
    db,
    objects: {
      ...objects,
      put: async (key, body) => {
        await objects.put(key, body);
        throw new Error("killed");
      },
    },
  };

  await expect(moveLogs(dying, 1_000)).rejects.toThrow("killed");

  expect(await objects.list(`logs/${id}/`)).toHaveLength(1);
  expect(await whereabouts(db, id)).toMatchObject({ object: null, here: text });
  expect(await moveLogs(places, 1_000)).toBe(1);
  expect(await logText(places, id)).toBe(text);
  expect(await objects.list(`logs/${id}/`)).toHaveLength(1);
});

test("a log with a gap is not moved, and does not keep others from moving", async () => {
  const broken = await ended({ agoMs: 3 * day });
  await sql`delete from build_log_chunk where build_id = ${broken} and at > 2000 and at < 3000`.execute(db);
  const whole = await ended();

  await expect(moveLogs(places, 1_000)).rejects.toThrow(`the log of ${broken} has nothing at`);
  await expect(moveLogs(places, 1_000)).rejects.toThrow(`the log of ${broken} has nothing at`);

  expect((await whereabouts(db, whole)).object).not.toBeNull();
  expect((await whereabouts(db, broken)).object).toBeNull();
  expect(await objects.list(`logs/${broken}/`)).toEqual([]);
  await sql`update build_log set forgotten = true where build_id = ${broken}`.execute(db);
});

test("with the store away logs that are here are read, those that are not say what to do, and all is well when it is back", async () => {
  const moved = await ended();
  await moveLogs(places, 1_000);
  const here = await ended();

  await storeAway(async () => {
    await expect(moveLogs(places, 1_000)).rejects.toThrow();
    expect(await logText(places, here)).toBe(text);
    const problem = await logText(places, moved).catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(ProblemError);
    expect(problem).toMatchObject({
      code: "unavailable",
      message: expect.stringMatching(/The log of B-\d+ is in the object store.*SLIPWAY_OBJECTS_URL/),
      remedy: expect.stringContaining("once the object store is back"),
    });
  });

  expect(await moveLogs(places, 1_000)).toBe(1);
  for (const id of [moved, here]) expect(await logText(places, id)).toBe(text);
});

test("a store that is away is told once, and once when it is back", async () => {
  const id = await ended();
  const told: string[] = [];
  const tell = (level: string) => (_: object, message: string) => void told.push(`${level}: ${message}`);
  const log = { debug: tell("debug"), info: tell("info"), warn: tell("warn"), error: tell("error") } as Logger;
  let tries = 0;
  const put: Objects["put"] = async (key, body) => {
    tries += 1;
    return await objects.put(key, body);
  };
  let mover: ReturnType<typeof logMover> | undefined;
  await storeAway(async () => {
    mover = logMover({ db, objects: { ...objects, put } }, 1_000, log);
    await until(() => tries >= 3, { what: "three tries" });
    expect(told).toEqual([expect.stringMatching(/^warn: logs of ended builds stay in Postgres/)]);
    expect(await mover.trouble()).toEqual([expect.stringMatching(/cannot be moved or read: .*SLIPWAY_OBJECTS_URL/)]);
    expect(await mover.figures[0]?.read()).toEqual([{ labels: {}, value: 1 }]);
  });

  await until(() => told.length === 2, { what: "the end of it to be told" });
  expect(told[1]).toMatch(/^info: logs of ended builds move/);
  expect((await whereabouts(db, id)).object).not.toBeNull();
  expect(await mover?.trouble()).toEqual([]);
  expect(await mover?.figures[0]?.read()).toEqual([{ labels: {}, value: 0 }]);
  await mover?.close();
});

test("a log whose object is not there, or not what was put there, says so", async () => {
  const gone = await ended();
  const broken = await ended();
  const short = await ended();
  await moveLogs(places, 1_000);
  const keyOf = async (id: BuildId) => (await whereabouts(db, id)).object ?? "";
  await objects.delete(await keyOf(gone));
  await objects.put(await keyOf(broken), Buffer.from("nothing that was packed"));
  await sql`update build_log set length = length + 5, object_length = object_length + 5 where build_id = ${short}`.execute(
    db,
  );

  for (const [id, why] of [
    [gone, "there is no object"],
    [broken, "not what was put there"],
    [short, "ends before the log does"],
  ] as const)
    await expect(logText(places, id)).rejects.toMatchObject({
      code: "build.log_missing",
      message: expect.stringContaining(why),
    });
});

test("a log that is forgotten takes its object with it, also one that nobody had noted, and reads as forgotten", async () => {
  const moved = await ended({ agoMs: 100 * day });
  const half = await ended({ agoMs: 100 * day });
  await moveLogs(places, 1_000);
  // As if its mover had been killed before it could note this.
  await sql`update build_log set object = null, object_length = null, claimed_until = clock_timestamp() where build_id = ${half}`.execute(
    db,
  );
  const young = await ended();

  for (const _ of ["once", "and again"]) await forgetLogs(places, 90 * day);

  for (const id of [moved, half]) {
    expect(await objects.list(`logs/${id}/`)).toEqual([]);
    expect(await logText(places, id)).toBe(forgottenText);
    expect(await whereabouts(db, id)).toMatchObject({ object: null, forgotten: true });
  }
  expect(await logText(places, young)).toBe(text);
  await moveLogs(places, 0);
  expect(await objects.list(`logs/${moved}/`)).toEqual([]);
});

test("where the store is away the row says that the log is forgotten, and the object goes when it is back", async () => {
  const id = await ended({ agoMs: 100 * day });
  await moveLogs(places, 1_000);

  await storeAway(async () => {
    await expect(forgetLogs(places, 90 * day)).rejects.toThrow();
    expect(await logText(places, id)).toBe(forgottenText);
  });
  expect(await objects.list(`logs/${id}/`)).toHaveLength(1);

  await forgetLogs(places, 90 * day);
  expect(await objects.list(`logs/${id}/`)).toEqual([]);
  expect(await db.selectFrom("build_log_left").selectAll().execute()).toEqual([]);
});

test("a log that is forgotten while it is read is read to the end of its object, or as forgotten", async () => {
  const id = await ended({ agoMs: 100 * day });
  await moveLogs(places, 1_000);
  const reader = readLog(places, id, 0);
  const { value: first } = await reader.next();

  await forgetLogs(places, 90 * day);

  const rest: Buffer[] = [first as Buffer];
  for await (const piece of reader) rest.push(piece);
  expect(Buffer.concat(rest).toString("utf8")).toBe(text);
  expect(await logText(places, id)).toBe(forgottenText);
});

test("a program of the version before says in place of a moved log where it is, and may forget it", async () => {
  const id = await ended({ agoMs: 100 * day });
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
    ) order by at limit 64`.execute(db);
  return rows.map(({ at, bytes }) => (at >= from ? bytes : bytes.subarray(from - at)).toString("utf8")).join("");
}

/** The statements by which 0.1.0 forgets. */
async function forgetAsBefore(id: BuildId): Promise<void> {
  const instead = Buffer.from(forgottenText);
  await sql`delete from build_log_chunk where build_id in (${id})`.execute(db);
  await sql`insert into build_log_chunk (build_id, at, bytes) values (${id}, 0, ${instead})`.execute(db);
  await sql`update build_log set length = ${instead.length} where build_id in (${id})`.execute(db);
}
