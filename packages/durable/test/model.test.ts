import { type Db, openDb } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import fc from "fast-check";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canonicalJson } from "../src/audit.ts";
import { applyBatch, type Item } from "../src/batch.ts";
import { type Claim, claimCommands } from "../src/lease.ts";
import type { DurableTables } from "../src/tables.ts";
import type { AnyInput, AnyMachine, Outcome } from "../src/types.ts";
import { notes, opened, type TapeCommand, type TapeInput, tape } from "./tape.ts";

/*
 * Random inputs, claims, outcomes (late and repeated ones too) and expired leases, over two machines; after each step the
 * rows must be those of a naive model in memory.
 */
const schema = "durable_model";
let database: TestDatabase;
let db: Db<DurableTables>;
let admin: Db<DurableTables>;
beforeAll(async () => {
  database = await testDatabase(schema);
  db = database.db(schema);
  admin = openDb({ url: database.adminUrl, schema, max: 1 });
});
afterAll(async () => {
  await admin.destroy();
  await database.close();
});

const machines = new Map<string, AnyMachine>([["tape", tape(notes)]]);
const ids = ["m0", "m1"];

type ModelCommand = {
  readonly id: string;
  readonly command: TapeCommand;
  readonly generation: number;
  attempts: number;
  holder: string | null;
  leased: boolean;
};
type ModelMachine = { phase: string; noted: string[]; version: number; generation: number };
type Model = { readonly machines: Map<string, ModelMachine>; commands: ModelCommand[] };

/** A lease and the model's command that it holds: one lane has one head. */
type Held = { readonly claim: Claim; readonly command: ModelCommand };

type Step =
  | { readonly op: "inputs"; readonly inputs: readonly { readonly id: string; readonly input: TapeInput }[] }
  | { readonly op: "claim"; readonly holder: string }
  | {
      readonly op: "record";
      readonly pick: number;
      readonly outcome: "done" | "fact" | "retry";
      readonly again: boolean;
    }
  | { readonly op: "expire" };

const command = fc.record({
  type: fc.constant("work" as const),
  tag: fc.constantFrom("x", "y", "z"),
  lane: fc.constantFrom("a", "b"),
  survives: fc.boolean(),
});
const input: fc.Arbitrary<TapeInput> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant("emit" as const), commands: fc.array(command, { maxLength: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("emit" as const),
      commands: fc.array(command, { maxLength: 2 }),
      supersedes: fc.constant(true as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("emit" as const),
      commands: fc.array(command, { maxLength: 1 }),
      close: fc.constant(true as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("note" as const), tag: fc.constantFrom("n", "o") }) },
  { weight: 1, arbitrary: fc.constant({ type: "break" as const }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("inputs" as const),
      inputs: fc.array(fc.record({ id: fc.constantFrom(...ids), input }), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("claim" as const), holder: fc.constantFrom("w1", "w2") }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("record" as const),
      pick: fc.nat(20),
      outcome: fc.constantFrom("done" as const, "fact" as const, "retry" as const),
      again: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("expire" as const) }) },
);

test("whatever comes in whatever order, the rows are those of the model", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const model = await fresh();
      const claims: Held[] = [];
      for (const each of steps) {
        await play(model, claims, each);
        expect(await observed()).toEqual(expected(model));
      }
    }),
    { numRuns: 120 },
  );
});

async function fresh(): Promise<Model> {
  await sql`truncate command, machine restart identity`.execute(admin);
  await sql`insert into machine select 'tape', id, 'open', ${JSON.stringify(opened)}::jsonb, 1, 1, now(), now()
    from unnest(${ids}::text[]) id`.execute(admin);
  const machine = (): ModelMachine => ({ phase: "open", noted: [], version: 1, generation: 1 });
  return { machines: new Map(ids.map((id) => [id, machine()])), commands: [] };
}

async function play(model: Model, claims: Held[], each: Step): Promise<void> {
  switch (each.op) {
    case "inputs": {
      await batch(
        each.inputs.map(({ id, input: what }) => ({ kind: "send", key: { kind: "tape", id }, input: () => what })),
      );
      for (const { id, input: what } of each.inputs) decideInModel(model, id, what);
      return;
    }
    case "claim": {
      const claimed = await claimCommands(db, each.holder, [{ kind: "tape", format: 1 }], {
        limit: 50,
        urgentOnly: false,
      });
      const heads = claimInModel(model, each.holder);
      expect(
        claimed.map(({ lease, command: what, void: isVoid }) => canonicalJson([lease.id, what, isVoid])).sort(),
      ).toEqual(heads.map((head) => canonicalJson([head.id, head.command, isVoidInModel(model, head)])).sort());
      for (const claim of claimed) {
        const lane = (claim.command as TapeCommand).lane;
        const head = heads.find(({ id, command: { lane: other } }) => id === claim.lease.id && other === lane);
        claims.push({ claim, command: head as ModelCommand });
      }
      return;
    }
    case "record": {
      const held = claims[each.pick % Math.max(1, claims.length)];
      if (held === undefined) return;
      const { claim } = held;
      const outcome = outcomeOf(each.outcome, claim);
      const item: Item = { kind: "record", lease: claim.lease, outcome };
      await batch(each.again ? [item, item] : [item]);
      recordInModel(model, held, outcome);
      return;
    }
    case "expire": {
      await sql`update command set leased_until = clock_timestamp() - interval '1 second' where leased_until is not null`.execute(
        db,
      );
      for (const waiting of model.commands) waiting.leased = false;
    }
  }
}

async function batch(items: readonly Item[]): Promise<void> {
  await db.transaction().execute(async (tx) => await applyBatch(tx, machines, items));
}

function outcomeOf(kind: "done" | "fact" | "retry", claim: Claim): Outcome<AnyInput> {
  if (kind === "done") return { kind };
  if (kind === "retry") return { kind, afterMs: 0, reason: "again" };
  const tag = (claim.command as TapeCommand).tag;
  return { kind, fact: () => ({ type: "note", tag }) as AnyInput };
}

function machineOf(model: Model, id: string): ModelMachine {
  return model.machines.get(id) as ModelMachine;
}

function decideInModel(model: Model, id: string, what: TapeInput): void {
  const machine = machineOf(model, id);
  if (what.type === "note") {
    machine.noted.push(what.tag);
    machine.version += 1;
    return;
  }
  if (what.type !== "emit" || machine.phase === "closed") return;
  machine.version += 1;
  if (what.close) machine.phase = "closed";
  if (what.supersedes) machine.generation += 1;
  if (what.supersedes || what.close) sweepInModel(model, id);
  for (const each of what.commands) {
    model.commands.push({
      ...{ id, command: each, generation: machine.generation },
      ...{ attempts: 0, holder: null, leased: false },
    });
  }
}

/** A supersede and the end of a machine take the void commands away that nobody is performing. Those left are claimed and removed. */
function sweepInModel(model: Model, id: string): void {
  model.commands = model.commands.filter(
    (waiting) => waiting.id !== id || waiting.leased || !isVoidInModel(model, waiting),
  );
}

function claimInModel(model: Model, holder: string): ModelCommand[] {
  const heads = model.commands.filter(
    (waiting, index) =>
      !model.commands
        .slice(0, index)
        .some((other) => other.id === waiting.id && other.command.lane === waiting.command.lane),
  );
  const claimed = heads.filter((head) => !head.leased);
  for (const head of claimed) {
    head.leased = true;
    head.holder = holder;
    head.attempts += 1;
  }
  return claimed;
}

function isVoidInModel(model: Model, { id, command: { survives }, generation }: ModelCommand): boolean {
  return !survives && generation < machineOf(model, id).generation;
}

function recordInModel(model: Model, { claim, command: held }: Held, outcome: Outcome<AnyInput>): void {
  const { id, attempt, holder } = claim.lease;
  if (!model.commands.includes(held) || held.attempts !== attempt || held.holder !== holder) return;
  const machine = machineOf(model, id);
  if (outcome.kind === "retry" && !isVoidInModel(model, held)) {
    held.holder = null;
    held.leased = false;
    return;
  }
  model.commands = model.commands.filter((waiting) => waiting !== held);
  if (outcome.kind !== "fact" || machine.phase === "closed") return;
  machine.noted.push(held.command.tag);
  machine.version += 1;
}

async function observed(): Promise<unknown> {
  const machineRows = await db.selectFrom("machine").selectAll().orderBy("id").execute();
  const commandRows = await db.selectFrom("command").selectAll().orderBy("id").orderBy("seq").execute();
  return {
    machines: machineRows.map(({ id, state, version, generation }) => ({ id, state, version, generation })),
    commands: commandRows.map(({ id, payload, generation, attempts, holder }) => ({
      ...{ id, payload, generation, attempts, holder },
    })),
  };
}

function expected(model: Model): unknown {
  return {
    machines: [...model.machines].map(([id, { phase, noted, version, generation }]) => ({
      ...{ id, state: { phase, noted }, version, generation },
    })),
    commands: ids
      .flatMap((id) => model.commands.filter((waiting) => waiting.id === id))
      .map(({ id, command: payload, generation, attempts, holder }) => ({
        ...{ id, payload, generation, attempts, holder },
      })),
  };
}
