import { ProblemError } from "@slipway/contracts";
import type { BuildId } from "@slipway/kernel";
import type { Objects } from "@slipway/objects";
import type { Logger } from "@slipway/sql";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { logMover } from "../src/log-mover.ts";
import { type LogPlaces, readLog } from "../src/log-reader.ts";
import { appendLog } from "../src/log-store.ts";
import { moveLogs } from "../src/move-logs.ts";
import { day, type KeptLogs, keptLogs, logText, printed, whereabouts } from "./kept-logs.ts";

const text = printed.join("");

let kept: KeptLogs;
let db: KeptLogs["db"];
let places: LogPlaces;
let objects: Objects;

beforeAll(async () => {
  kept = await keptLogs();
  ({ db, places } = kept);
  ({ objects } = places);
});
afterAll(() => kept.close());

test("a log that has moved is one packed object, and reads as before from every offset", async () => {
  const id = await kept.ended();
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
  const id = await kept.ended({ lines: [Array.from({ length: 20_000 }, (_, n) => `test | 你好 ${n}\n`).join("")] });
  await moveLogs(places, 1_000);

  const pieces: Buffer[] = [];
  for await (const piece of readLog(places, id, 0)) pieces.push(piece);

  expect(pieces.length).toBeGreaterThan(3);
  expect(pieces.every((piece) => piece.at(-1) === 10)).toBe(true);
});

test("a reader notices nothing of a move between two of its reads", async () => {
  for (const before of [1, 64, 65, 130]) {
    const id = await kept.ended();
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
  const id = await kept.ended({ lines: ["slipway | cancelled\n"] });
  await moveLogs(places, 1_000);
  expect(await logText(places, id)).toBe("slipway | cancelled\n");

  await appendLog(db, id, "test | the step's last words\n");

  expect(await logText(places, id)).toBe("slipway | cancelled\ntest | the step's last words\n");
  expect(await logText(places, id, 20)).toBe("test | the step's last words\n");
  expect(await logText(places, id, 25)).toBe("| the step's last words\n");
});

test("logs move once their build has ended for so long, and the program that moves them was there for so long", async () => {
  const young = await kept.ended({ agoMs: 30_000 });
  const running = await kept.ended({ phase: "running" });
  const upgraded = await kept.ended();
  await sql`update build_log set known_at = clock_timestamp() where build_id = ${upgraded}`.execute(db);

  expect(await moveLogs(places, 60_000)).toBe(0);
  for (const id of [young, running, upgraded]) expect((await whereabouts(db, id)).object).toBeNull();

  expect(await moveLogs(places, 0)).toBe(2);
  expect((await whereabouts(db, running)).object).toBeNull();
});

test("several at once move each log once", async () => {
  const ids = await Promise.all([kept.ended(), kept.ended(), kept.ended(), kept.ended()]);
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
  const id = await kept.ended();
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
  const id = await kept.ended();
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
  const broken = await kept.ended({ agoMs: 3 * day });
  await sql`delete from build_log_chunk where build_id = ${broken} and at > 2000 and at < 3000`.execute(db);
  const whole = await kept.ended();

  await expect(moveLogs(places, 1_000)).rejects.toThrow(`the log of ${broken} has nothing at`);
  await expect(moveLogs(places, 1_000)).rejects.toThrow(`the log of ${broken} has nothing at`);

  expect((await whereabouts(db, whole)).object).not.toBeNull();
  expect((await whereabouts(db, broken)).object).toBeNull();
  expect(await objects.list(`logs/${broken}/`)).toEqual([]);
  await sql`update build_log set forgotten = true where build_id = ${broken}`.execute(db);
});

test("with the store away logs that are here are read, those that are not say what to do, and all is well when it is back", async () => {
  const moved = await kept.ended();
  await moveLogs(places, 1_000);
  const here = await kept.ended();

  await kept.storeAway(async () => {
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
  const id = await kept.ended();
  const told: string[] = [];
  const tell = (level: string) => (_: object, message: string) => void told.push(`${level}: ${message}`);
  const log = { debug: tell("debug"), info: tell("info"), warn: tell("warn"), error: tell("error") } as Logger;
  let tries = 0;
  const put: Objects["put"] = async (key, body) => {
    tries += 1;
    return await objects.put(key, body);
  };
  let mover: ReturnType<typeof logMover> | undefined;
  await kept.storeAway(async () => {
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
  const gone = await kept.ended();
  const broken = await kept.ended();
  const short = await kept.ended();
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
