import type { Instant, Refusal } from "@slipway/kernel";
import { type Applied, applyFact, applyInput, laterOf, type WorkingRow } from "./decide.ts";
import { formatOf, WrittenByNewer } from "./format.ts";
import {
  clock,
  deleteCommands,
  type HeldCommand,
  insertCommands,
  keyOf,
  lockCommands,
  lockMachines,
  type MachineKey,
  type Postponed,
  postponeCommands,
  saveMachines,
  voidCommands,
  wakeWorkers,
} from "./rows.ts";
import type { DurableTx } from "./tables.ts";
import type { AnyInput, AnyMachine, Outcome } from "./types.ts";

/** A lease on a command: (seq, attempt, holder) is its fencing token. */
export type Lease = MachineKey & { readonly seq: number; readonly attempt: number; readonly holder: string };

/** What may happen to a machine: an input that somebody sends, or the outcome of a command. */
export type Item =
  | { readonly kind: "send"; readonly key: MachineKey; readonly input: (now: Instant) => AnyInput }
  | { readonly kind: "record"; readonly lease: Lease; readonly outcome: Outcome<AnyInput> | { readonly kind: "void" } };

export type Result =
  | Applied
  | Refusal
  | { readonly kind: "not_found" }
  /** The outcome counts. */
  | { readonly kind: "recorded" }
  /** Somebody else holds the command now, or it is void: the outcome does not count. */
  | { readonly kind: "stale" }
  /** `decide` threw. Of this item nothing was written (a command is postponed). */
  | { readonly kind: "poison"; readonly error: unknown }
  /** A fact was refused, which `decide` must never do. */
  | { readonly kind: "refused_fact"; readonly refusal: Refusal };

export type Transition = MachineKey & { readonly from: string; readonly to: string; readonly version: number };

export type BatchResult = { readonly results: readonly Result[]; readonly transitions: readonly Transition[] };

export function keyOfItem(item: Item): MachineKey {
  return item.kind === "send" ? item.key : item.lease;
}

/** Timers due later than this need no wake-up: every worker looks at least once a second. */
const soonMs = 1_000;
const poisonPauseMs = 5_000;

/**
 * Applies the items, in their order, in the given transaction: rows locked in id order, decided, written together. An error
 * from the database fails them all; the caller rolls back and tries each alone.
 */
export async function applyBatch(
  tx: DurableTx,
  machines: ReadonlyMap<string, AnyMachine>,
  items: readonly Item[],
): Promise<BatchResult> {
  const keys = new Map(items.map(keyOfItem).map((key) => [keyOf(key), key]));
  const rows = await lockMachines(tx, [...keys.values()]);
  const leases = items.flatMap((item) => (item.kind === "record" ? [item.lease] : []));
  const held = await lockCommands(
    tx,
    leases.map((lease) => lease.seq),
  );
  const now = await clock(tx);
  const work: Work = { machines, rows, held, now, finished: [], postponed: [] };
  const results = items.map((item) => applyItem(work, item));
  await write(tx, work);
  return { results, transitions: transitions(rows) };
}

type Work = {
  readonly machines: ReadonlyMap<string, AnyMachine>;
  readonly rows: ReadonlyMap<string, WorkingRow>;
  readonly held: Map<number, HeldCommand>;
  readonly now: Instant;
  readonly finished: number[];
  readonly postponed: Postponed[];
};

function applyItem(work: Work, item: Item): Result {
  const key = keyOfItem(item);
  const row = work.rows.get(keyOf(key));
  if (row === undefined) return item.kind === "send" ? { kind: "not_found" } : { kind: "stale" };
  const definition = work.machines.get(key.kind);
  if (definition === undefined) throw new Error(`no machine is named ${key.kind}`);
  if (row.format > formatOf(definition)) return leaveToNewer(work, definition, row, item);
  if (item.kind === "record") return applyOutcome(work, definition, row, item);
  const now = laterOf(work.now, row.updatedAt);
  try {
    return applyInput(definition, row, item.input(now), now);
  } catch (error) {
    return { kind: "poison", error };
  }
}

/** Neither decided nor lost: what was performed meanwhile is performed again by whoever knows the row. */
function leaveToNewer(work: Work, definition: AnyMachine, row: WorkingRow, item: Item): Result {
  const error = new WrittenByNewer(row.kind, row.id, row.format, formatOf(definition));
  if (item.kind === "send") return { kind: "poison", error };
  const held = work.held.get(item.lease.seq);
  if (held === undefined || held.attempts !== item.lease.attempt || held.holder !== item.lease.holder)
    return { kind: "stale" };
  work.held.delete(item.lease.seq);
  if (item.outcome.kind === "done" || item.outcome.kind === "void") work.finished.push(item.lease.seq);
  else work.postponed.push(postponed(item.lease.seq, 0, error.message));
  return { kind: "recorded" };
}

function applyOutcome(
  work: Work,
  definition: AnyMachine,
  row: WorkingRow,
  { lease, outcome }: Extract<Item, { kind: "record" }>,
): Result {
  const held = work.held.get(lease.seq);
  if (held === undefined || held.attempts !== lease.attempt || held.holder !== lease.holder) return { kind: "stale" };
  // Two outcomes under one lease in one batch: only the first counts.
  work.held.delete(lease.seq);
  if (outcome.kind === "retry" && (held.survives || held.generation === row.generation)) {
    work.postponed.push(postponed(lease.seq, outcome.afterMs, outcome.reason));
    return { kind: "recorded" };
  }
  if (outcome.kind === "fact") {
    const now = laterOf(work.now, row.updatedAt);
    try {
      const result = applyFact(definition, row, outcome.fact(now), now);
      work.finished.push(lease.seq);
      return result.kind === "refusal" ? { kind: "refused_fact", refusal: result } : { kind: "recorded" };
    } catch (error) {
      work.postponed.push(postponed(lease.seq, poisonPauseMs, `its outcome could not be applied: ${String(error)}`));
      return { kind: "poison", error };
    }
  }
  work.finished.push(lease.seq);
  return { kind: "recorded" };
}

/** A reason is text from anywhere: Postgres takes no zero bytes, and a page no novel. */
function postponed(seq: number, afterMs: number, reason: string): Postponed {
  const pauseMs = Number.isFinite(afterMs) ? Math.max(0, afterMs) : poisonPauseMs;
  return { seq, afterMs: pauseMs, reason: reason.replaceAll("\0", "").slice(0, 2_000) };
}

async function write(tx: DurableTx, { machines, rows, now, finished, postponed }: Work): Promise<void> {
  const changed = [...rows.values()].filter((row) => row.version !== row.before.version);
  await saveMachines(tx, changed, (kind) => formatOf(machines.get(kind) as AnyMachine));
  await postponeCommands(tx, postponed);
  await deleteCommands(tx, finished);
  // After the postponed ones are let go, so that those of an older generation go too.
  await voidCommands(tx, changed);
  const commands = changed.flatMap(({ kind, id, emitted, updatedAt }) =>
    emitted.map((command) => ({ ...command, kind, id, at: updatedAt })),
  );
  await insertCommands(tx, commands);
  const soon = Date.parse(now) + soonMs;
  if (commands.some((command) => Date.parse(command.runAfter) <= soon)) await wakeWorkers(tx);
}

function transitions(rows: ReadonlyMap<string, WorkingRow>): Transition[] {
  return [...rows.values()]
    .filter((row) => row.state.phase !== row.before.state.phase)
    .map(({ kind, id, before, state, version }) => ({ kind, id, from: before.state.phase, to: state.phase, version }));
}
