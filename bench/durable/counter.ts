import { type DurableMachine, defineMachine, type Outcome } from "../../packages/durable/src/index.ts";

/** A machine about as large as a deployment's row is: it counts what happened to it, and may be given work. */
export type CounterState = { readonly phase: "counting"; readonly count: number; readonly about: string };
export type CounterInput = { readonly type: "count" } | { readonly type: "count_and_work" };
export type CounterCommand = { readonly type: "work" };

export const aboutBytes = 1_000;

export function counter(): DurableMachine<CounterState, CounterInput, CounterCommand> {
  return defineMachine<CounterState, CounterInput, CounterCommand>({
    machine: {
      name: "counter",
      terminal: [],
      decide: (state, input) => ({
        kind: "step",
        state: { ...state, count: state.count + 1 },
        commands: input.type === "count_and_work" ? [{ type: "work" }] : [],
      }),
    },
    lane: () => "work",
    perform: async (): Promise<Outcome<CounterInput>> => ({ kind: "fact", fact: () => ({ type: "count" }) }),
  });
}

export const opened: CounterState = { phase: "counting", count: 0, about: "x".repeat(aboutBytes) };
