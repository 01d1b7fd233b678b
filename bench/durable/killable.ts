import {
  type CommandContext,
  type DurableMachine,
  defineMachine,
  type Outcome,
} from "../../packages/durable/src/index.ts";

/** A machine with a list of what was done to it, in which nothing may be missing and nothing may stand twice. */
export type KilledState = { readonly phase: "open"; readonly done: readonly string[] };
export type KilledInput = { readonly type: "done"; readonly tag: string };
export type KilledCommand = {
  readonly type: "work";
  readonly tag: string;
  readonly lane: string;
  readonly holds: boolean;
};

export function killable(
  perform: (command: KilledCommand, ctx: CommandContext<KilledState>) => Promise<Outcome<KilledInput>>,
): DurableMachine<KilledState, KilledInput, KilledCommand> {
  return defineMachine<KilledState, KilledInput, KilledCommand>({
    machine: {
      name: "killable",
      terminal: [],
      decide: (state, { tag }) => ({ kind: "step", state: { ...state, done: [...state.done, tag] }, commands: [] }),
    },
    lane: ({ lane }) => lane,
    perform,
  });
}
