import type { Instant, Refusal } from "@slipway/kernel";
import type { AnyCommand, AnyInput, AnyMachine, AnyState } from "./types.ts";

/** A machine's row while a batch of inputs is decided over it. */
export type WorkingRow = {
  readonly kind: string;
  readonly id: string;
  readonly before: { readonly state: AnyState; readonly version: number; readonly generation: number };
  state: AnyState;
  version: number;
  generation: number;
  /** As it was stored; `saveMachines` writes that of the definition where it is higher. */
  readonly format: number;
  updatedAt: Instant;
  /** Commands to insert, in order. */
  emitted: EmittedCommand[];
  /** It entered a terminal phase: the timers it still has are void. */
  ended: boolean;
};

export type EmittedCommand = {
  readonly command: AnyCommand;
  readonly lane: string | null;
  readonly generation: number;
  readonly survives: boolean;
  readonly timer: boolean;
  readonly urgent: boolean;
  readonly runAfter: Instant;
};

export type Applied = { readonly kind: "applied"; readonly state: AnyState; readonly version: number };

export function workingRow(row: {
  kind: string;
  id: string;
  state: AnyState;
  version: number;
  generation: number;
  format: number;
  updatedAt: Instant;
}): WorkingRow {
  const { kind, id, state, version, generation, format, updatedAt } = row;
  return {
    kind,
    id,
    before: { state, version, generation },
    state,
    version,
    generation,
    format,
    updatedAt,
    emitted: [],
    ended: false,
  };
}

/** Decides one input over the row. Throws what `decide` throws, and then has changed nothing. */
export function applyInput(definition: AnyMachine, row: WorkingRow, input: AnyInput, now: Instant): Applied | Refusal {
  const { machine } = definition;
  const next = machine.decide(row.state, input);
  if (next.kind === "refusal") return next;
  const changed = next.state !== row.state || next.commands.length > 0 || next.supersedes === true;
  if (!changed) return { kind: "applied", state: row.state, version: row.version };
  const generation = next.supersedes === true ? row.generation + 1 : row.generation;
  const emitted = next.commands.map((command) => emit(definition, command, generation, now));
  const ends = isTerminal(definition, next.state) && !isTerminal(definition, row.state);
  const kept = row.emitted.filter(
    (earlier) => earlier.survives || (earlier.generation === generation && !(ends && earlier.timer)),
  );
  row.state = next.state;
  row.version += 1;
  row.generation = generation;
  row.updatedAt = now;
  row.emitted = [...kept, ...emitted];
  row.ended ||= ends;
  return { kind: "applied", state: row.state, version: row.version };
}

/** A fact for a row in a terminal phase is dropped: such a row is never woken again. */
export function applyFact(definition: AnyMachine, row: WorkingRow, input: AnyInput, now: Instant): Applied | Refusal {
  if (isTerminal(definition, row.state)) return { kind: "applied", state: row.state, version: row.version };
  return applyInput(definition, row, input, now);
}

export function emit(definition: AnyMachine, command: AnyCommand, generation: number, now: Instant): EmittedCommand {
  const runAfter = definition.runAfter?.(command);
  return {
    command,
    lane: runAfter === undefined ? definition.lane(command) : null,
    generation,
    survives: definition.survives?.(command) ?? false,
    timer: runAfter !== undefined,
    urgent: definition.urgent?.(command) ?? false,
    runAfter: runAfter ?? now,
  };
}

export function isTerminal(definition: AnyMachine, state: AnyState): boolean {
  return definition.machine.terminal.includes(state.phase);
}

export function laterOf(one: Instant, other: Instant): Instant {
  return one > other ? one : other;
}
