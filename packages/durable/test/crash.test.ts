import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDurable, type Durable } from "@slipway/durable";
import { type Db, silentLogger } from "@slipway/sql";
import { seededRandom, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { notes, opened, type Perform, type TapeState, tape, work } from "./tape.ts";
import { spawnWorker, type WorkerProcess } from "./worker.ts";

const schema = "durable_crash";
let database: TestDatabase;
let db: Db<Record<string, never>>;
let folder: string;
const durables: Durable[] = [];
const children: WorkerProcess[] = [];

beforeAll(async () => {
  database = await testDatabase(schema);
  db = database.db(schema);
  folder = await mkdtemp(join(tmpdir(), "slipway-crash-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.killHard();
  for (const durable of durables.splice(0)) await durable.stop();
});
afterAll(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

function durableWith(perform: Perform): Durable {
  const durable = createDurable({ db, url: database.url(schema), machines: [tape(perform)], log: silentLogger });
  durables.push(durable);
  return durable;
}

function startWorker(effects: string, place: string): WorkerProcess {
  const worker = spawnWorker([database.url(schema), schema, effects, place]);
  children.push(worker);
  return worker;
}

/** For how long nobody else can have its commands, by the clock of the database: how soon another one looks is no matter of this test's own clock. */
async function heldForMs(id: string): Promise<number> {
  const { rows } = await sql<{ ms: string | null }>`
    select extract(epoch from max(leased_until) - clock_timestamp()) * 1000 as ms from command where id = ${id}`.execute(
    db,
  );
  return Number(rows[0]?.ms);
}

async function noted(durable: Durable, id: string): Promise<readonly string[]> {
  return (await durable.read<TapeState>("tape", id))?.state.noted ?? [];
}

describe.each([
  ["before the effect", "before-effect", 0],
  ["after the effect, before its record", "after-effect", 1],
  ["inside the recording transaction", "while-recording", 1],
])("a worker killed with -9 %s", (_, place, effectsOfTheDead) => {
  test("is replaced within two seconds; nothing is lost, and a repeated effect carries the same key", async () => {
    const effects = join(folder, `${place}.txt`);
    const durable = durableWith(notes);
    await durable.create(undefined, "tape", place, opened, [work("one"), work("two")]);
    const worker = startWorker(effects, place);
    await worker.said("hanging");
    const performedHere: string[] = [];
    const survivor = durableWith(async (command, ctx) => {
      performedHere.push(`${ctx.commandId} ${command.tag}`);
      return await notes(command, ctx);
    });
    await survivor.start();

    await worker.killHard();
    const held = await heldForMs(place);
    await until(() => performedHere.length > 0, { what: "the take-over" });
    await survivor.idle();

    expect(held).toBeLessThanOrEqual(2_000);
    expect(await noted(survivor, place)).toEqual(["one", "two"]);
    const before = (await readFile(effects, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
    expect(before).toEqual(performedHere.slice(0, effectsOfTheDead));
  });
});

test("workers killed again and again lose nothing, record nothing twice and keep every lane's order", async () => {
  const seed = Date.now() % 1_000_000;
  const random = seededRandom(seed);
  const durable = durableWith(notes);
  const lanes = ["a", "b", "c"];
  const ids = Array.from({ length: 20 }, (_, index) => `killed-${index}`);
  const tags = Array.from({ length: 30 }, (_, index) => String(index));
  for (const id of ids)
    await durable.create(
      undefined,
      "tape",
      id,
      opened,
      tags.map((tag) => work(tag, { lane: random.pick(lanes) })),
    );
  const expected = new Map<string, readonly string[]>();
  const laneOf = new Map<string, string>();
  for (const id of ids)
    for (const { command } of await durable.pending<TapeState, never, ReturnType<typeof work>>("tape", id)) {
      laneOf.set(`${id}/${command.tag}`, command.lane);
      expected.set(`${id}/${command.lane}`, [...(expected.get(`${id}/${command.lane}`) ?? []), command.tag]);
    }
  const total = ids.length * tags.length;
  const done = async (): Promise<number> => {
    const all = await Promise.all(ids.map(async (id) => (await noted(durable, id)).length));
    return all.reduce((sum, count) => sum + count, 0);
  };

  for (const share of [0.1, 0.3, 0.6]) {
    const worker = startWorker(join(folder, "random.txt"), "nowhere");
    const wanted = Math.floor(total * (share + random.next() * 0.1));
    await until(async () => (await done()) >= wanted, { what: `${wanted} facts (seed ${seed})` });
    await worker.killHard();
  }
  await durable.start();
  await until(async () => (await done()) >= total, { what: `all facts (seed ${seed})` });

  for (const id of ids) {
    const all = await noted(durable, id);
    for (const lane of lanes)
      expect(
        all.filter((tag) => laneOf.get(`${id}/${tag}`) === lane),
        `machine ${id}, lane ${lane}, seed ${seed}`,
      ).toEqual(expected.get(`${id}/${lane}`) ?? []);
  }
});
