import { randomUUID } from "node:crypto";
import type { Instant } from "@slipway/kernel";
import { jsonText, type Tx } from "@slipway/sql";
import { applyBatch, type Item, type Result } from "./batch.ts";
import { emit } from "./decide.ts";
import { formatOf, WrittenByNewer } from "./format.ts";
import { hasDueCommand } from "./lease.ts";
import { createQueue } from "./queue.ts";
import { listRows, readPending, readRow } from "./read.ts";
import { clock, insertCommands, wakeWorkers } from "./rows.ts";
import { type DurableDb, type DurableTx, durableTables, durableTransaction } from "./tables.ts";
import type {
  AnyCommand,
  AnyInput,
  AnyMachine,
  AnyState,
  Durable,
  DurableMachine,
  DurableOptions,
  MachineRef,
  PendingCommand,
  Row,
  SendResult,
} from "./types.ts";
import { createWorker } from "./worker.ts";

const idlePatienceMs = 30_000;
/** The largest that its column holds. */
const newestFormat = 2_147_483_647;

/** Machines of one schema: `create` and `send` decide and write, `start` begins to perform what was emitted. */
export function createDurable<T>(options: DurableOptions<T>): Durable {
  const { url, log, workers = 64, random = Math.random } = options;
  const db = durableTables(options.db);
  const machines = new Map(options.machines.map((definition) => [definition.machine.name, definition]));
  if (machines.size !== options.machines.length) throw new Error("two machines have the same name");
  const queue = createQueue(db, machines, log, (committed) => {
    worker.wake();
    options.onCommit?.(committed);
  });
  const holder = `${process.pid}-${randomUUID()}`;
  const worker = createWorker({ db, url, machines, queue, log, slots: workers, holder, random, place: options.place });

  return {
    async create<S extends AnyState, I extends AnyInput, C extends AnyCommand, U>(
      tx: Tx<U> | undefined,
      kind: MachineRef<S, I, C>,
      id: string,
      state: S,
      commands: readonly C[],
    ): Promise<boolean> {
      const definition = definitionOf(machines, kind);
      if (tx !== undefined) return await insertMachine(durableTransaction(tx), definition, id, state, commands);
      const created = await db
        .transaction()
        .execute(async (own) => await insertMachine(own, definition, id, state, commands));
      worker.wake();
      return created;
    },

    async send<S extends AnyState, I extends AnyInput, C extends AnyCommand, U>(
      kind: MachineRef<S, I, C>,
      id: string,
      input: (now: Instant) => I,
      tx?: Tx<U>,
    ): Promise<SendResult<S>> {
      const definition = definitionOf(machines, kind);
      const item: Item = { kind: "send", key: { kind: definition.machine.name, id }, input };
      const result =
        tx === undefined ? await queue.push(item) : await applyAlone(durableTransaction(tx), machines, item);
      return sendResult<S>(result);
    },

    async read<S extends AnyState, I extends AnyInput, C extends AnyCommand>(kind: MachineRef<S, I, C>, id: string) {
      const name = nameOf(kind);
      const known = knownFormat(machines, name);
      const row = await readRow(db, name, id);
      if (row !== undefined && row.format > known) throw new WrittenByNewer(name, id, row.format, known);
      return row as Row<S> | undefined;
    },

    async list<S extends AnyState, I extends AnyInput, C extends AnyCommand>(kind: MachineRef<S, I, C>, wanted = {}) {
      return (await listRows(db, nameOf(kind), wanted, knownFormat(machines, nameOf(kind)))) as unknown as Row<S>[];
    },

    async pending<S extends AnyState, I extends AnyInput, C extends AnyCommand>(kind: MachineRef<S, I, C>, id: string) {
      return (await readPending(db, nameOf(kind), id)) as unknown as PendingCommand<C>[];
    },

    start: worker.start,
    stop: worker.stop,
    idle: async () => await untilIdle(db, [...machines.keys()], () => worker.busy + queue.length),
  };
}

function nameOf<S extends AnyState, I extends AnyInput, C extends AnyCommand>(kind: MachineRef<S, I, C>): string {
  return typeof kind === "string" ? kind : kind.machine.name;
}

/** What is only read here by its name may be of any form. */
function knownFormat(machines: ReadonlyMap<string, AnyMachine>, name: string): number {
  const definition = machines.get(name);
  return definition === undefined ? newestFormat : formatOf(definition);
}

function definitionOf<S extends AnyState, I extends AnyInput, C extends AnyCommand>(
  machines: ReadonlyMap<string, AnyMachine>,
  kind: MachineRef<S, I, C>,
): DurableMachine<AnyState, AnyInput, AnyCommand> {
  const definition = machines.get(nameOf(kind));
  if (definition === undefined) throw new Error(`no machine is named ${nameOf(kind)}`);
  return definition;
}

async function insertMachine(
  tx: DurableTx,
  definition: AnyMachine,
  id: string,
  state: AnyState,
  commands: readonly AnyCommand[],
): Promise<boolean> {
  const kind = definition.machine.name;
  const now = await clock(tx);
  const inserted = await tx
    .insertInto("machine")
    .values({
      kind,
      id,
      phase: state.phase,
      state: jsonText(state),
      version: 1,
      generation: 1,
      format: formatOf(definition),
      created_at: now,
      updated_at: now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (inserted.numInsertedOrUpdatedRows !== 1n) return false;
  await insertCommands(
    tx,
    commands.map((command) => ({ ...emit(definition, command, 1, now), kind, id, at: now })),
  );
  if (commands.length > 0) await wakeWorkers(tx);
  return true;
}

async function applyAlone(tx: DurableTx, machines: ReadonlyMap<string, AnyMachine>, item: Item): Promise<Result> {
  const { results } = await applyBatch(tx, machines, [item]);
  return results[0] as Result;
}

function sendResult<S extends AnyState>(result: Result): SendResult<S> {
  if (result.kind === "applied") return { kind: "applied", state: result.state as S, version: result.version };
  if (result.kind === "refusal" || result.kind === "not_found") return result;
  if (result.kind === "poison") throw result.error;
  throw new Error(`an input came back as ${result.kind}`);
}

async function untilIdle(db: DurableDb, kinds: readonly string[], busy: () => number): Promise<void> {
  const deadline = performance.now() + idlePatienceMs;
  while (busy() > 0 || (await hasDueCommand(db, kinds)) || busy() > 0) {
    if (performance.now() > deadline) throw new Error(`still busy after ${idlePatienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
