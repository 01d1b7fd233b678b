import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDurable, type Durable } from "@slipway/durable";
import { type Db, silentLogger } from "@slipway/sql";
import { shiftedClock, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { notes, opened, type Perform, type TapeInput, type TapeState, tape, work } from "./tape.ts";
import { spawnWorker, type WorkerProcess } from "./worker.ts";

const schema = "durable_clocks";
let database: TestDatabase;
let db: Db<Record<string, never>>;
let folder: string;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  database = await testDatabase(schema);
  db = database.db(schema);
  folder = await mkdtemp(join(tmpdir(), "slipway-clocks-"));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

describe.each([
  ["ahead", 30_000],
  ["behind", -30_000],
])("a worker whose clock is half a minute %s", (name, ms) => {
  const effects = () => join(folder, `${name}.txt`);
  const performedThere = async () =>
    (await readFile(effects(), "utf8").catch(() => "")).split("\n").flatMap((line) => line.split(" ")[1] ?? []);

  function durableHere(perform: Perform): Durable {
    const durable = createDurable({ db, url: database.url(schema), machines: [tape(perform)], log: silentLogger });
    ends.push(() => durable.stop());
    return durable;
  }

  function startWorker(place = "nowhere"): WorkerProcess {
    const worker = spawnWorker([database.url(schema), schema, effects(), place], shiftedClock(ms));
    ends.push(() => worker.killHard());
    return worker;
  }

  /** Until the lease of what is held was renewed for three seconds: twice what it lasts. */
  async function untilRenewed(id: string): Promise<void> {
    const lease = async () => {
      const { rows } = await sql<{ until: Date | string | null }>`
        select max(leased_until) as until from command where id = ${id}`.execute(db);
      return Date.parse(String(rows[0]?.until));
    };
    const first = await until(lease, { what: "a lease" });
    await until(async () => (await lease()) - first > 3_000, { what: "the lease to be renewed" });
  }

  test("leaves to another what that one holds, does the rest, and nothing is done twice", async () => {
    const [id, rest] = [`held-${name}`, `rest-${name}`];
    const release = Promise.withResolvers<void>();
    const here: string[] = [];
    const durable = durableHere(async (command, ctx) => {
      here.push(command.tag);
      if (command.tag === "held") await release.promise;
      return await notes(command, ctx);
    });
    await durable.create(undefined, "tape", id, opened, [work("held"), work("next")]);
    await durable.start();
    await until(() => here.includes("held"), { what: "what is held" });
    await startWorker().said("started");

    const tags = Array.from({ length: 40 }, (_, index) => `rest-${index}`);
    await durable.create(
      undefined,
      "tape",
      rest,
      opened,
      tags.map((tag, index) => work(tag, { lane: `l-${index}` })),
    );
    await untilRenewed(id);
    release.resolve();
    await until(async () => (await noted(durable, id)).length === 2, { what: "what was held" });
    await until(async () => (await noted(durable, rest)).length === tags.length, { what: "the rest" });

    const there = await performedThere();
    expect([...here, ...there].sort()).toEqual(["held", "next", ...tags].sort());
    expect(there).not.toContain("held");
  });

  test("does what is due later neither too early nor late", async () => {
    const id = `timers-${name}`;
    const durable = durableHere(notes);
    await durable.create(undefined, "tape", id, opened, []);
    const later = (tag: string, afterMs: number) =>
      durable.send("tape", id, (now): TapeInput => ({ type: "emit_later", tag, afterMs, now }));
    await startWorker().said("started");

    // In one lane, which a command that is not due does not hold up.
    await later("soon", 300);
    await later("not-soon", 3_600_000);
    await until(async () => (await noted(durable, id)).includes("soon"), {
      what: "what is due soon",
      timeoutMs: 10_000,
    });

    expect(await noted(durable, id)).toEqual(["soon"]);
  });

  test("is replaced within two seconds when it is killed, as any other", async () => {
    const id = `killed-${name}`;
    const durable = durableHere(notes);
    await durable.create(undefined, "tape", id, opened, [work("one")]);
    const worker = startWorker("before-effect");
    await worker.said("hanging");
    await durable.start();

    await worker.killHard();
    const { rows } = await sql<{ ms: string | null }>`
      select extract(epoch from max(leased_until) - clock_timestamp()) * 1000 as ms from command where id = ${id}`.execute(
      db,
    );
    await until(async () => (await noted(durable, id)).length === 1, { what: "the take-over" });

    // For so long nobody else can have it: by the clock of the database, not by one that is off.
    expect(Number(rows[0]?.ms)).toBeLessThanOrEqual(2_000);
  });
});

async function noted(durable: Durable, id: string): Promise<readonly string[]> {
  return (await durable.read<TapeState>("tape", id))?.state.noted ?? [];
}
