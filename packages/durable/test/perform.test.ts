import { type CommandContext, createDurable, type Durable, type DurableOptions } from "@slipway/durable";
import { type Db, openDb, silentLogger } from "@slipway/sql";
import { type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { note, notes, opened, type Perform, type TapeInput, type TapeState, tape, work } from "./tape.ts";

let database: TestDatabase;
let db: Db<Record<string, never>>;
const running: Durable[] = [];
beforeAll(async () => {
  database = await testDatabase("durable_perform");
  db = database.db("durable_perform");
});
afterEach(async () => {
  for (const durable of running.splice(0)) await durable.stop();
});
afterAll(async () => await database.close());

let made = 0;
function newId(): string {
  made += 1;
  return `T-${made}`;
}

function durableWith(
  perform: Perform,
  over: Partial<Pick<DurableOptions<unknown>, "workers" | "onCommit">> = {},
): Durable {
  const durable = createDurable({
    db,
    url: database.url("durable_perform"),
    machines: [tape(perform)],
    log: silentLogger,
    random: () => 0,
    ...over,
  });
  running.push(durable);
  return durable;
}

async function noted(durable: Durable, id: string): Promise<readonly string[] | undefined> {
  return (await durable.read<TapeState>("tape", id))?.state.noted;
}

const emit =
  (...commands: ReturnType<typeof work>[]) =>
  (): TapeInput => ({ type: "emit", commands });

test("a machine is made once, with its first commands, which are performed and come back as facts", async () => {
  const durable = durableWith(notes);
  const id = newId();

  expect(await durable.create(undefined, "tape", id, opened, [work("a"), work("b")])).toBe(true);
  expect(await durable.create(undefined, "tape", id, opened, [work("c")])).toBe(false);
  await durable.start();
  await durable.idle();

  expect(await noted(durable, id)).toEqual(["a", "b"]);
  expect(await durable.pending("tape", id)).toEqual([]);
});

test("what a rolled-back transaction made or sent has no effect", async () => {
  const durable = durableWith(notes);
  const [kept, gone] = [newId(), newId()];
  await durable.create(undefined, "tape", kept, opened, []);
  await durable.start();

  const transaction = db.transaction().execute(async (tx) => {
    await durable.create(tx, "tape", gone, opened, [work("a")]);
    await durable.send("tape", kept, emit(work("b")), tx);
    throw new Error("changed my mind");
  });

  await expect(transaction).rejects.toThrow("changed my mind");
  await durable.idle();
  expect(await durable.read("tape", gone)).toBeUndefined();
  expect(await noted(durable, kept)).toEqual([]);
});

test("an input sent in a transaction takes hold with it, and its commands are performed", async () => {
  const durable = durableWith(notes);
  const id = newId();
  await durable.start();

  await db.transaction().execute(async (tx) => {
    await durable.create(tx, "tape", id, opened, []);
    expect(await durable.send("tape", id, emit(work("a")), tx)).toMatchObject({ kind: "applied", version: 2 });
  });

  await until(async () => (await noted(durable, id))?.length === 1, { what: "the command's fact" });
});

test("a refusal and a missing row are answers and change nothing", async () => {
  const durable = durableWith(notes);
  const id = newId();
  await durable.create(undefined, "tape", id, { phase: "closed", noted: [] } satisfies TapeState, []);

  expect(await durable.send("tape", id, emit(work("a")))).toMatchObject({ kind: "refusal", code: "tape.closed" });
  expect(await durable.send("tape", "nowhere", emit())).toEqual({ kind: "not_found" });
  expect(await durable.read("tape", id)).toMatchObject({ version: 1 });
});

test("a poison input fails alone: those that came with it are applied", async () => {
  const durable = durableWith(notes);
  const id = newId();
  await durable.create(undefined, "tape", id, opened, []);

  const results = await Promise.allSettled([
    durable.send("tape", id, note("before")),
    durable.send("tape", id, (): TapeInput => ({ type: "break" })),
    durable.send("tape", id, (): TapeInput => ({ type: "spoil" })),
    durable.send("tape", id, note("after")),
  ]);

  expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  expect(await noted(durable, id)).toEqual(["before", "after"]);
  expect(await durable.read("tape", id)).toMatchObject({ version: 3 });
});

test("a command that fails stays at the head of its lane with its reason, and other lanes go on", async () => {
  let healthy = false;
  const durable = durableWith(async (command, ctx) => {
    if (command.lane === "eu" && !healthy) throw new Error("eu does not answer");
    return await notes(command, ctx);
  });
  const id = newId();
  await durable.create(undefined, "tape", id, opened, [
    work("eu-1", { lane: "eu" }),
    work("eu-2", { lane: "eu" }),
    work("us-1", { lane: "us" }),
    work("us-2", { lane: "us" }),
  ]);
  await durable.start();

  await until(async () => (await noted(durable, id))?.length === 2, { what: "the healthy lane's facts" });
  const waiting = await until(
    async () =>
      (await durable.pending("tape", id)).find((command) => command.attempts >= 2 && command.lastReason !== null),
    { what: "a second attempt" },
  );
  expect(waiting).toMatchObject({ lastReason: "eu does not answer", command: { tag: "eu-1" } });
  healthy = true;
  await until(async () => (await noted(durable, id))?.length === 4, { what: "the other lane's facts" });

  expect(await noted(durable, id)).toEqual(["us-1", "us-2", "eu-1", "eu-2"]);
});

test("a superseded machine's waiting commands are never performed, except those that survive", async () => {
  const performed: string[] = [];
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const durable = durableWith(async (command, ctx) => {
    performed.push(command.tag);
    if (command.tag === "first") await held;
    return await notes(command, ctx);
  });
  const id = newId();
  await durable.create(undefined, "tape", id, opened, [
    work("first"),
    work("void"),
    work("event", { survives: true }),
    work("timer", { runAfter: new Date(Date.now() + 3_600_000).toISOString() as never }),
  ]);
  await durable.start();
  await until(() => performed.length === 1, { what: "the first command" });

  await durable.send(
    "tape",
    id,
    (): TapeInput => ({ type: "emit", supersedes: true, commands: [work("abort", { lane: "abort" })] }),
  );
  await until(() => performed.includes("abort"), { what: "the abort, in its own lane" });
  expect(await durable.read("tape", id)).toMatchObject({ generation: 2 });
  release();
  await durable.idle();

  expect(performed).toEqual(["first", "abort", "event"]);
  expect(await durable.pending("tape", id)).toEqual([]);
});

test("a command that is being performed learns that its machine was superseded", async () => {
  let seen: CommandContext<TapeState> | undefined;
  const durable = durableWith(async (_, ctx) => {
    seen = ctx;
    await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
    throw new Error("gave up");
  });
  const id = newId();
  await durable.create(undefined, "tape", id, opened, [work("long")]);
  await durable.start();
  await until(() => seen, { what: "the command" });

  await durable.send("tape", id, (): TapeInput => ({ type: "emit", supersedes: true, commands: [] }));
  await until(() => seen?.signal.aborted, { what: "the abort" });
  await durable.idle();

  expect(seen?.signal.reason).toBe("superseded");
  expect(seen?.state).toEqual(opened);
  expect(await seen?.current()).toMatchObject({ generation: 2 });
  expect(await durable.pending("tape", id)).toEqual([]);
});

test("a timer fires at its time and not before, also when the process that set it is gone", async () => {
  const first = durableWith(notes);
  const id = newId();
  await first.create(undefined, "tape", id, opened, []);
  await first.start();
  await first.send("tape", id, (now): TapeInput => ({ type: "emit_later", tag: "ring", afterMs: 700, now }));
  const due = (await first.pending("tape", id))[0]?.runAfter ?? "";
  await first.stop();

  const second = durableWith(notes);
  await second.start();
  expect(await noted(second, id)).toEqual([]);
  await until(async () => (await noted(second, id))?.length === 1, { what: "the timer" });

  const { updatedAt } = (await second.read("tape", id)) ?? { updatedAt: "" };
  expect(updatedAt >= due).toBe(true);
});

test("timers block nothing and wait for nothing", async () => {
  const durable = durableWith(notes);
  const id = newId();
  const far = new Date(Date.now() + 3_600_000).toISOString() as never;
  const past = new Date(Date.now() - 1_000).toISOString() as never;
  await durable.create(undefined, "tape", id, opened, [
    work("later", { lane: "same", runAfter: far }),
    work("now", { lane: "same", runAfter: past }),
    work("plain", { lane: "same" }),
  ]);
  await durable.start();
  await durable.idle();

  expect([...((await noted(durable, id)) ?? [])].sort()).toEqual(["now", "plain"]);
});

test("a machine that ended is not woken: its timers are void and late facts are dropped", async () => {
  const durable = durableWith(notes);
  const id = newId();
  const far = new Date(Date.now() + 3_600_000).toISOString() as never;
  await durable.create(undefined, "tape", id, opened, [work("old", { runAfter: far })]);
  await durable.send(
    "tape",
    id,
    (): TapeInput => ({
      type: "emit",
      close: true,
      commands: [work("last"), work("collect", { runAfter: far })],
    }),
  );
  await durable.start();
  await durable.idle();

  expect(await durable.read("tape", id)).toMatchObject({ state: { phase: "closed", noted: [] }, version: 2 });
  expect((await durable.pending("tape", id)).map((command) => command.command)).toMatchObject([{ tag: "collect" }]);
});

test("a fact that cannot be applied is not lost: the command waits with the reason", async () => {
  const durable = durableWith(async (command) => ({
    kind: "fact",
    fact: (): TapeInput => (command.tag === "breaks" ? { type: "break" } : { type: "spoil" }),
  }));
  const id = newId();
  await durable.create(undefined, "tape", id, opened, [work("breaks", { lane: "a" }), work("spoils", { lane: "b" })]);
  await durable.start();

  const pending = await until(
    async () => {
      const all = await durable.pending("tape", id);
      return all.every((command) => command.lastReason !== null) ? all : undefined;
    },
    { what: "both reasons" },
  );

  expect(pending.map((command) => command.lastReason)).toEqual([
    expect.stringContaining("decide breaks"),
    expect.stringContaining("could not be written"),
  ]);
});

test("stop waits for what is being performed, and a second stop for the first", async () => {
  let ended = false;
  let began = false;
  const durable = durableWith(async (command, ctx) => {
    began = true;
    await until(() => stopping, { what: "the stop" });
    ended = true;
    return await notes(command, ctx);
  });
  let stopping = false;
  const id = newId();
  await durable.create(undefined, "tape", id, opened, [work("a"), work("b")]);
  await durable.start();
  await until(() => began, { what: "the command" });

  const stops = [durable.stop(), durable.stop()];
  stopping = true;
  await Promise.all(stops);

  expect(ended).toBe(true);
  expect(await noted(durable, id)).toEqual(["a"]);
  expect((await durable.pending("tape", id)).map((command) => command.holder)).toEqual([null]);
  expect(await durable.send("tape", id, note("still"))).toMatchObject({ kind: "applied" });
});

test("workers go on after every connection was cut", async () => {
  const durable = durableWith(notes);
  const id = newId();
  await durable.create(undefined, "tape", id, opened, [work("a")]);
  await durable.start();
  await durable.idle();

  const admin = openDb<Record<string, never>>({ url: database.adminUrl, schema: "durable_perform", max: 1 });
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'slipway_durable_perform'`.execute(
    admin,
  );
  await admin.destroy();

  await until(async () => (await durable.send("tape", id, emit(work("b")))).kind === "applied", { what: "a send" });
  await until(async () => (await noted(durable, id))?.includes("b"), { what: "the command's fact" });
});

test("whoever asks to be told is told of each commit: of inputs before they are answered, of outcomes, and of what has to be tried again", async () => {
  const told: string[] = [];
  let tries = 0;
  const durable = durableWith(
    async (command, ctx) => {
      tries += 1;
      return tries === 1 ? { kind: "retry", afterMs: 1, reason: "not yet" } : notes(command, ctx);
    },
    { onCommit: (machines) => told.push(...machines.map(({ kind, id }) => `${kind} ${id}`)) },
  );
  const [one, other] = [newId(), newId()];
  for (const id of [one, other]) await durable.create(undefined, "tape", id, opened, []);

  await durable.send("tape", one, emit(work("a")));
  expect(told).toEqual([`tape ${one}`]);
  await expect(
    durable.send("tape", one, () => {
      throw new Error("nobody decides that");
    }),
  ).rejects.toThrow("nobody decides that");

  await durable.start();
  await until(async () => (await noted(durable, one))?.length === 1, { what: "the command's fact" });
  await durable.idle();
  expect(told.filter((each) => each === `tape ${one}`).length).toBeGreaterThanOrEqual(4);
  expect(told).not.toContain(`tape ${other}`);
});
