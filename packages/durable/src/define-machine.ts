import type { AnyCommand, AnyInput, AnyState, DurableMachine } from "./types.ts";

/** Gives a definition its types; checks nothing at run time. */
export function defineMachine<S extends AnyState, I extends AnyInput, C extends AnyCommand>(
  definition: DurableMachine<S, I, C>,
): DurableMachine<S, I, C> {
  return definition;
}
