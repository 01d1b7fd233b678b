/**
 * The shape of everything with a life: a pure decision over a stored state.
 *
 *   decide(state, input) -> step(state, commands) | refuse(code, detail)
 *
 * Inputs are intents of people (may be refused) and facts of the world (never refused; a stale fact is ignored).
 * Time and randomness arrive inside inputs, so `decide` needs no clock, no random source and no I/O.
 */
export type Step<S, C> = {
  readonly kind: "step";
  readonly state: S;
  readonly commands: readonly C[];
  /** Raises the machine's generation: its older commands that nobody has claimed yet are void. */
  readonly supersedes?: true;
};

/** A "no" as a value. `code` is one of the error catalogue in contracts. */
export type Refusal = {
  readonly kind: "refusal";
  readonly code: string;
  readonly detail: string;
  /** What the caller can do about it. */
  readonly remedy?: string;
};

export type Machine<
  S extends { readonly phase: string },
  I extends { readonly type: string },
  C extends { readonly type: string },
> = {
  /** Name of the machine: the `kind` column of its rows. */
  readonly name: string;
  decide(state: S, input: I): Step<S, C> | Refusal;
  /** Terminal phases: their rows are never woken again. */
  readonly terminal: readonly S["phase"][];
};

export function step<S, C>(state: S, commands: readonly C[] = []): Step<S, C> {
  return { kind: "step", state, commands };
}

export function refuse(code: string, detail: string, remedy?: string): Refusal {
  return remedy === undefined ? { kind: "refusal", code, detail } : { kind: "refusal", code, detail, remedy };
}

/** Why a state waits. Shown by the API with every waiting phase. */
export type Waiting = {
  readonly for: string;
  readonly holder?: string;
  readonly since: string;
  readonly unblockedBy: string;
};

/** Marks code that the compiler has proven unreachable; a value that arrives here all the same is a bug. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
