import { type CommandContext, type DurableMachine, defineMachine, type Outcome } from "@slipway/durable";
import { addMs, type Instant, type Machine, refuse } from "@slipway/kernel";

/** A machine that does what it is told: it emits the commands of its input and notes the facts in order. */
export type TapeState = { readonly phase: "open" | "closed"; readonly noted: readonly string[] };

export type TapeCommand = {
  readonly type: "work";
  readonly tag: string;
  readonly lane: string;
  readonly survives?: boolean;
  readonly urgent?: boolean;
  readonly runAfter?: Instant;
};

export type TapeInput =
  | {
      readonly type: "emit";
      readonly commands: readonly TapeCommand[];
      readonly supersedes?: true;
      readonly close?: true;
    }
  | { readonly type: "emit_later"; readonly tag: string; readonly afterMs: number; readonly now: Instant }
  | { readonly type: "note"; readonly tag: string }
  | { readonly type: "break" }
  | { readonly type: "spoil" };

export const tapeMachine: Machine<TapeState, TapeInput, TapeCommand> = {
  name: "tape",
  terminal: ["closed"],
  decide(state, input) {
    if (input.type === "note")
      return { kind: "step", state: { ...state, noted: [...state.noted, input.tag] }, commands: [] };
    if (state.phase === "closed") return refuse("tape.closed", "the tape is closed");
    switch (input.type) {
      case "emit": {
        const next: TapeState = { ...state, phase: input.close ? "closed" : "open" };
        const { commands } = input;
        return input.supersedes
          ? { kind: "step", state: next, commands, supersedes: true }
          : { kind: "step", state: next, commands };
      }
      case "emit_later": {
        const runAfter = addMs(input.now, input.afterMs);
        return {
          kind: "step",
          state: { ...state },
          commands: [{ type: "work", tag: input.tag, lane: "timers", runAfter }],
        };
      }
      case "break":
        throw new Error("decide breaks");
      case "spoil":
        // A row has a phase, so that the write fails and not the decision.
        return { kind: "step", state: { ...state, phase: null as never }, commands: [] };
    }
  },
};

export const opened: TapeState = { phase: "open", noted: [] };

export function work(tag: string, more: Partial<TapeCommand> = {}): TapeCommand {
  return { type: "work", tag, lane: "main", ...more };
}

export const note =
  (tag: string): ((now: Instant) => TapeInput) =>
  () => ({ type: "note", tag });

export type Perform = (command: TapeCommand, ctx: CommandContext<TapeState>) => Promise<Outcome<TapeInput>>;

export function tape(perform: Perform, format = 1): DurableMachine<TapeState, TapeInput, TapeCommand> {
  return defineMachine({
    format,
    machine: tapeMachine,
    lane: (command) => command.lane,
    runAfter: (command) => command.runAfter,
    survives: (command) => command.survives ?? false,
    urgent: (command) => command.urgent ?? false,
    perform,
  });
}

/** Performs by noting the command's tag. */
export const notes: Perform = async (command) => ({ kind: "fact", fact: note(command.tag) });
