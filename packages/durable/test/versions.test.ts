import { createDurable, type Durable, WrittenByNewer } from "@slipway/durable";
import { type Db, silentLogger } from "@slipway/sql";
import { type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { note, notes, opened, type Perform, type TapeInput, type TapeState, tape, work } from "./tape.ts";

let database: TestDatabase;
let db: Db<Record<string, never>>;
const running: Durable[] = [];
beforeAll(async () => {
  database = await testDatabase("durable_versions");
  db = database.db("durable_versions");
});
afterEach(async () => {
  for (const durable of running.splice(0)) await durable.stop();
});
afterAll(async () => await database.close());

let made = 0;
const newId = () => `T-${++made}`;

/** A process of the version that knows rows up to this form. */
function processOf(format: number, perform: Perform = notes): Durable {
  const url = database.url("durable_versions");
  const durable = createDurable({ db, url, machines: [tape(perform, format)], log: silentLogger, random: () => 0 });
  running.push(durable);
  return durable;
}

const emit =
  (tag: string): (() => TapeInput) =>
  () => ({ type: "emit", commands: [work(tag)] });
const stored = async (id: string) => {
  const { rows } = await sql<{ state: TapeState; version: number; format: number }>`
    select state, version, format from machine where id = ${id}`.execute(db);
  return rows[0];
};

describe("two versions beside each other on one database", () => {
  test("a row that the older one made is taken over by the newer one as soon as that changes it", async () => {
    const [older, newer] = [processOf(1), processOf(2)];
    const id = newId();
    await older.create(undefined, "tape", id, opened, []);
    expect(await stored(id)).toMatchObject({ format: 1 });

    await newer.send("tape", id, note("new"));

    expect(await stored(id)).toMatchObject({ format: 2, state: { noted: ["new"] } });
  });

  test("the older one neither changes nor reads what the newer one wrote, and says to whom it is left", async () => {
    const [older, newer] = [processOf(1), processOf(2)];
    const id = newId();
    const beyond = { ...opened, phase: "beyond", added: { of: "the newer one" } } as unknown as TapeState;
    await newer.create(undefined, "tape", id, beyond, []);

    await expect(older.send("tape", id, note("old"))).rejects.toThrow(WrittenByNewer);
    await expect(older.read("tape", id)).rejects.toThrow(/left to processes of that version/);
    expect((await older.list("tape")).map((row) => row.id)).not.toContain(id);
    expect(await stored(id)).toEqual({ state: beyond, version: 1, format: 2 });
  });

  test("the older one performs none of its commands, and the newer one all of them", async () => {
    const seen: string[] = [];
    const by =
      (who: string): Perform =>
      async (command) => {
        seen.push(`${who} ${command.tag}`);
        return { kind: "done" };
      };
    const [older, newer] = [processOf(1, by("older")), processOf(2, by("newer"))];
    const [ofNewer, ofOlder] = [newId(), newId()];
    await newer.create(undefined, "tape", ofNewer, opened, [work("theirs")]);
    await older.create(undefined, "tape", ofOlder, opened, [work("ours")]);

    await older.start();
    await until(() => seen.includes("older ours"), { what: "what is its own" });
    expect(await older.pending("tape", ofNewer)).toMatchObject([{ attempts: 0, holder: null }]);

    await newer.start();
    await until(() => seen.includes("newer theirs"), { what: "the rest" });
    expect(seen).toEqual(["older ours", "newer theirs"]);
  });

  test("what the older one was performing while the newer one changed the row is performed again by the newer one", async () => {
    const finish = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow: Perform = async (command) => {
      begun.resolve();
      await finish.promise;
      return { kind: "fact", fact: note(`old ${command.tag}`) };
    };
    const [older, newer] = [processOf(1, slow), processOf(2)];
    const id = newId();
    await older.create(undefined, "tape", id, opened, [work("a")]);
    await older.start();
    await begun.promise;
    await newer.send("tape", id, emit("b"));

    finish.resolve();
    await until(async () => (await newer.pending("tape", id))[0]?.lastReason?.includes("newer version"), {
      what: "the reason",
    });
    await newer.start();
    await newer.idle();

    expect((await stored(id))?.state.noted).toEqual(["a", "b"]);
  });
});
