import { createDurable, type Durable } from "@slipway/durable";
import { type Db, openDb, silentLogger } from "@slipway/sql";
import { seededRandom, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { note, notes, opened, type Perform, type TapeInput, type TapeState, tape, work } from "./tape.ts";

const schema = "durable_lanes";
let database: TestDatabase;
let db: Db<Record<string, never>>;
const durables: Durable[] = [];
beforeAll(async () => {
  database = await testDatabase(schema);
  db = database.db(schema);
});
afterEach(async () => {
  for (const durable of durables.splice(0)) await durable.stop();
});
afterAll(async () => await database.close());

/** Each with a pool of its own, as another process would have. */
function worker(perform: Perform, workers = 64, place?: string): Durable {
  const own = database.db<Record<string, never>>(schema);
  const durable = createDurable({
    db: own,
    url: database.url(schema),
    machines: [tape(perform)],
    log: silentLogger,
    workers,
    ...(place === undefined ? {} : { place }),
  });
  durables.push(durable);
  return durable;
}

/** What happens to the leases of a holder that is cut off, or of all. */
async function expireLeases(holder?: string): Promise<void> {
  await sql`update command set leased_until = clock_timestamp() - interval '1 second'
    where leased_until is not null ${holder === undefined ? sql`` : sql`and holder = ${holder}`}`.execute(db);
  await sql`select pg_notify('slipway_durable_' || current_schema(), '')`.execute(db);
}

test("three workers never perform two commands of one lane at once or out of order, failures included", async () => {
  const seed = Date.now() % 1_000_000;
  const random = seededRandom(seed);
  const active = new Set<string>();
  const overlaps: string[] = [];
  let mostAtOnce = 0;
  const perform: Perform = async (command, ctx) => {
    const lane = `${ctx.id}/${command.lane}`;
    if (active.has(lane)) overlaps.push(`${lane} ${command.tag}`);
    active.add(lane);
    mostAtOnce = Math.max(mostAtOnce, active.size);
    await new Promise((resolve) => setTimeout(resolve, random.below(4)));
    active.delete(lane);
    if (ctx.attempt === 1 && random.below(10) === 0)
      return { kind: "retry", afterMs: random.below(20), reason: "by chance" };
    return await notes(command, ctx);
  };
  const workers = [worker(perform), worker(perform), worker(perform)];
  const [first] = workers as [Durable];
  const ids = Array.from({ length: 8 }, (_, index) => `lanes-${index}`);
  const lanes = ["a", "b"];
  const commands = Array.from({ length: 24 }, (_, index) => work(String(index), { lane: lanes[index % 2] ?? "a" }));
  for (const id of ids) await first.create(undefined, "tape", id, opened, []);
  await Promise.all(workers.map(async (durable) => await durable.start()));

  await Promise.all(
    ids.flatMap((id) =>
      [0, 8, 16].map(
        async (from) =>
          await random
            .pick(workers)
            .send("tape", id, (): TapeInput => ({ type: "emit", commands: commands.slice(from, from + 8) })),
      ),
    ),
  );
  const notedOf = async (id: string): Promise<readonly string[]> =>
    (await first.read<TapeState>("tape", id))?.state.noted ?? [];
  for (const id of ids)
    await until(async () => (await notedOf(id)).length === commands.length, {
      what: `all facts of ${id} (seed ${seed})`,
    });

  expect(overlaps, `seed ${seed}`).toEqual([]);
  expect(mostAtOnce).toBeGreaterThan(4);
  for (const id of ids) {
    const all = await notedOf(id);
    for (const parity of [0, 1]) {
      const inLane = all.map(Number).filter((tag) => tag % 2 === parity);
      // The three inputs may arrive in any order; within each, and so within the lane, order holds.
      for (const from of [0, 8, 16]) {
        const ofInput = inLane.filter((tag) => tag >= from && tag < from + 8);
        expect(ofInput, `${id}, seed ${seed}`).toEqual([...ofInput].sort((a, b) => a - b));
      }
    }
  }
});

test("what has a place is performed there, and by another only once nobody there has taken it for long", async () => {
  const by: string[] = [];
  const at = (place: string) =>
    worker(
      async (command) => {
        by.push(`${place} ${command.tag}`);
        return { kind: "fact", fact: note(command.tag) };
      },
      64,
      place,
    );
  const [here, there] = [at("here"), at("there")];
  await here.start();
  await there.start();
  const placed = { ...opened, place: "here" } as TapeState;
  const tags = Array.from({ length: 30 }, (_, index) => String(index));
  await here.create(
    undefined,
    "tape",
    "placed",
    placed,
    tags.map((tag) => work(tag, { lane: tag })),
  );
  await until(() => by.length === tags.length, { what: "all of them" });
  expect([...by].sort()).toEqual(tags.map((tag) => `here ${tag}`).sort());

  await here.stop();
  await there.send("tape", "placed", (): TapeInput => ({ type: "emit", commands: [work("last")] }));
  await there.create(undefined, "tape", "free", opened, [work("other")]);
  await until(() => by.includes("there other"), { what: "what has no place" });
  expect(by).not.toContain("there last");

  await sql`update command set run_after = run_after - interval '11 seconds' where id = 'placed'`.execute(db);
  await until(() => by.includes("there last"), { what: "what nobody has taken" });
});

test("the outcome of a holder whose lease was taken by another does not count", async () => {
  let letGo: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let began = false;
  // One slot, so that it cannot claim its own command again.
  const slow = worker(async () => {
    began = true;
    await held;
    return { kind: "fact", fact: note("slow") };
  }, 1);
  await slow.create(undefined, "tape", "stolen", opened, [work("x")]);
  await slow.start();
  await until(() => began, { what: "the slow worker" });

  const quick = worker(async () => ({ kind: "fact", fact: note("quick") }));
  await quick.start();
  const holder = (await slow.pending("tape", "stolen"))[0]?.holder ?? "";
  await until(
    async () => {
      // Until it is taken: it renews its lease three times within it.
      await expireLeases(holder);
      return (await quick.read<TapeState>("tape", "stolen"))?.state.noted.length === 1;
    },
    { what: "the other's fact" },
  );
  letGo();
  await slow.idle();

  expect((await slow.read<TapeState>("tape", "stolen"))?.state.noted).toEqual(["quick"]);
});

test("a holder that cannot renew its lease stops itself", async () => {
  let reason: unknown;
  const durable = worker(async (_, ctx) => {
    await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
    reason ??= ctx.signal.reason;
    return { kind: "done" };
  }, 1);
  await durable.create(undefined, "tape", "cut-off", opened, [work("x")]);
  await durable.start();
  await until(async () => (await durable.pending("tape", "cut-off"))[0]?.holder, { what: "the claim" });

  // Another holder's name on the row: renewals find nothing, as when somebody else has taken it over.
  await sql`update command set holder = 'somebody' where id = 'cut-off'`.execute(db);

  await until(() => reason, { what: "the abort" });
  expect(reason).toBe("the lease ran out");
  await sql`delete from command where id = 'cut-off'`.execute(db);
});

test("a lease that ran out while its holder still performs is taken again by the same process without a second performance", async () => {
  let performances = 0;
  let letGo: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const durable = worker(async (command, ctx) => {
    performances += 1;
    await held;
    return await notes(command, ctx);
  });
  await durable.create(undefined, "tape", "again", opened, [work("x")]);
  await durable.start();
  await until(() => performances === 1, { what: "the performance" });

  await until(
    async () => {
      await expireLeases();
      return ((await durable.pending("tape", "again"))[0]?.attempts ?? 0) > 1;
    },
    { what: "the second claim" },
  );
  letGo();
  await durable.idle();

  expect(performances).toBe(1);
  expect((await durable.read<TapeState>("tape", "again"))?.state.noted).toEqual(["x"]);
});

test("a superseded command of a dead holder is removed and never performed again", async () => {
  const admin = openDb<Record<string, never>>({ url: database.url(schema), schema, max: 1 });
  const performed: string[] = [];
  const durable = worker(async (command, ctx) => {
    performed.push(command.tag);
    return await notes(command, ctx);
  });
  await durable.create(undefined, "tape", "dead", opened, [work("old"), work("behind")]);
  await sql`update command set holder = 'dead', attempts = 1, leased_until = clock_timestamp() + interval '700 ms'
    where id = 'dead' and payload->>'tag' = 'old'`.execute(admin);
  await durable.start();

  await durable.send("tape", "dead", (): TapeInput => ({ type: "emit", supersedes: true, commands: [work("new")] }));
  expect((await durable.pending("tape", "dead")).map((command) => command.command)).toMatchObject([
    { tag: "old" },
    { tag: "new" },
  ]);
  await until(async () => (await durable.pending("tape", "dead")).length === 0, { what: "the lane" });
  await admin.destroy();

  expect(performed).toEqual(["new"]);
});

test("an urgent command waits for no slot, though slow ones have them all and more stand before it", async () => {
  let letGo: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const begun: string[] = [];
  const durable = worker(async (command, ctx) => {
    begun.push(command.tag);
    if (command.tag.startsWith("slow")) await held;
    return await notes(command, ctx);
  }, 4);
  for (let n = 0; n < 8; n += 1) await durable.create(undefined, "tape", `busy-${n}`, opened, [work(`slow-${n}`)]);
  await durable.create(undefined, "tape", "hurried", opened, []);
  await durable.start();
  await until(() => begun.length === 4, { what: "every slot to be taken" });

  await durable.send("tape", "hurried", (): TapeInput => {
    const lower = work("lower", { lane: "abort", urgent: true });
    return { type: "emit", commands: [work("ordinary"), lower] };
  });

  await until(async () => (await durable.read<TapeState>("tape", "hurried"))?.state.noted.length === 1, {
    what: "the urgent fact",
  });
  expect(begun).toEqual(["slow-0", "slow-1", "slow-2", "slow-3", "lower"]);
  letGo();
  await durable.idle();
  expect(begun).toHaveLength(10);
});

test("urgent commands take no slot from the others", async () => {
  let letGo: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const begun: string[] = [];
  const durable = worker(async (command, ctx) => {
    begun.push(command.tag);
    if (command.urgent === true) await held;
    return await notes(command, ctx);
  }, 1);
  for (let n = 0; n < 3; n += 1)
    await durable.create(undefined, "tape", `shut-${n}`, opened, [work(`shut-${n}`, { urgent: true })]);
  await durable.start();
  await until(() => begun.length === 3, { what: "every urgent one at once" });

  await durable.create(undefined, "tape", "plain", opened, [work("plain")]);

  await until(() => begun.includes("plain"), { what: "the ordinary one" });
  letGo();
  await durable.idle();
});
