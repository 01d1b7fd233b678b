import type { Instant, Machine, Refusal } from "@slipway/kernel";
import type { Db, Logger, Tx } from "@slipway/sql";

export type AnyState = { readonly phase: string };
export type AnyInput = { readonly type: string };
export type AnyCommand = { readonly type: string };

/** What came of performing a command. A thrown error counts as a retry with back-off. */
export type Outcome<I> =
  | { readonly kind: "done" }
  /** Applied to the machine in the transaction that removes the command. */
  | { readonly kind: "fact"; readonly fact: (now: Instant) => I }
  /** The command stays at the head of its lane and is tried again. */
  | { readonly kind: "retry"; readonly afterMs: number; readonly reason: string };

export type CommandContext<S> = {
  /** Of the machine. */
  readonly id: string;
  /** The same at each attempt: a deduplication key for the far side. Unique within the schema. */
  readonly commandId: string;
  /** 1 at the first. */
  readonly attempt: number;
  /** Of the machine when the command was emitted. */
  readonly generation: number;
  /** Of the machine when the command was claimed here: for what lowers, which asks nobody before it acts. */
  readonly state: S;
  /** Aborted when the lease is lost, the machine is superseded, time is up, or the process stops. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** The row as it stands now, for effects that must look again before they raise anything. */
  current(): Promise<{ readonly state: S; readonly generation: number; readonly version: number } | undefined>;
};

export type DurableMachine<S extends AnyState, I extends AnyInput, C extends AnyCommand> = {
  readonly machine: Machine<S, I, C>;
  /**
   * Grows by one with each version whose states or commands the version before would not understand: a new phase, a new command, a field that it
   * would drop. Rows of a higher one are left to processes that know it. Default 1.
   */
  readonly format?: number;
  /** Commands of one lane of one machine are performed in order, one at a time. */
  lane(command: C): string;
  /** When to perform it. A command with a time is a timer: it is in no lane, blocks nothing and waits for nothing. */
  runAfter?(command: C): Instant | undefined;
  /** True for what must happen although the machine was superseded: events to publish, locks to give back. */
  survives?(command: C): boolean;
  /**
   * True for what takes exposure back: it is claimed before everything else and never waits for a slot. It still waits for what stands
   * before it in its lane, so that its lane should hold nothing else.
   */
  urgent?(command: C): boolean;
  /** After so many ms `signal` is aborted. Default 10 minutes. */
  timeoutMs?(command: C): number;
  /** Carries the command out, outside any transaction. May be called again for the same command after a crash. */
  perform(command: C, ctx: CommandContext<S>): Promise<Outcome<I>>;
};

/** A machine of which only the outline is known. Methods compare bivariantly, so that every definition fits. */
export type AnyMachine = DurableMachine<AnyState, AnyInput, AnyCommand>;

/** A machine by name or by definition; the definition gives types to state and input. */
export type MachineRef<S extends AnyState, I extends AnyInput, C extends AnyCommand> = string | DurableMachine<S, I, C>;

export type Row<S> = {
  readonly id: string;
  readonly state: S;
  readonly version: number;
  readonly generation: number;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
};

export type SendResult<S> =
  | { readonly kind: "applied"; readonly state: S; readonly version: number }
  | Refusal
  | { readonly kind: "not_found" };

/** A command that waits or is being performed, for display. */
export type PendingCommand<C> = {
  readonly commandId: string;
  readonly command: C;
  readonly lane: string | null;
  readonly generation: number;
  readonly attempts: number;
  readonly lastReason: string | null;
  readonly runAfter: Instant;
  /** Who performs it now, or null. */
  readonly holder: string | null;
};

export type ListOptions = {
  readonly phases?: readonly string[];
  /** Default 1000. */
  readonly limit?: number;
  /** Only ids after this one: the next page. */
  readonly afterId?: string;
};

export type Durable = {
  /** Writes the state and its first commands in one transaction. False: the row existed and nothing was written. */
  create<S extends AnyState = AnyState, I extends AnyInput = AnyInput, C extends AnyCommand = AnyCommand, T = unknown>(
    tx: Tx<T> | undefined,
    kind: MachineRef<S, I, C>,
    id: string,
    state: S,
    commands: readonly C[],
  ): Promise<boolean>;
  /**
   * Applies one input. Rejects with `WrittenByNewer` where the row is none of this version's. With `tx` it happens inside that transaction, and the row stays locked until its end: send to
   * several machines in id order. Rejects when `decide` throws or the database is away.
   */
  send<S extends AnyState = AnyState, I extends AnyInput = AnyInput, C extends AnyCommand = AnyCommand, T = unknown>(
    kind: MachineRef<S, I, C>,
    id: string,
    input: (now: Instant) => I,
    tx?: Tx<T>,
  ): Promise<SendResult<S>>;
  /** Rejects with `WrittenByNewer` where the row is none of this version's. */
  read<S extends AnyState = AnyState, I extends AnyInput = AnyInput, C extends AnyCommand = AnyCommand>(
    kind: MachineRef<S, I, C>,
    id: string,
  ): Promise<Row<S> | undefined>;
  /** In id order; without those that a newer version wrote. */
  list<S extends AnyState = AnyState, I extends AnyInput = AnyInput, C extends AnyCommand = AnyCommand>(
    kind: MachineRef<S, I, C>,
    options?: ListOptions,
  ): Promise<Row<S>[]>;
  /** Oldest first. */
  pending<S extends AnyState = AnyState, I extends AnyInput = AnyInput, C extends AnyCommand = AnyCommand>(
    kind: MachineRef<S, I, C>,
    id: string,
  ): Promise<PendingCommand<C>[]>;
  /** Begins to perform commands. Until then (and after `stop`) the other calls work all the same. */
  start(): Promise<void>;
  /** Claims nothing more, waits for what is being performed, then aborts it; leases are given back. Idempotent. */
  stop(): Promise<void>;
  /** Resolves once no command is due and none is being performed. For tests; rejects after 30 s. */
  idle(): Promise<void>;
};

export type DurableOptions<T> = {
  readonly db: Db<T>;
  /** For LISTEN, which needs a connection of its own. */
  readonly url: string;
  readonly machines: readonly AnyMachine[];
  readonly log: Logger;
  /** Commands performed at the same time by this process, urgent ones not counted. Default 64: a slot is a promise, not a connection. */
  readonly workers?: number;
  /** For the jitter of retries, in [0, 1). Default Math.random. */
  readonly random?: () => number;
  /**
   * Where this process has its files. Commands of a machine whose state says `place` are performed by processes of that place, and by another only once
   * they have been due for ten seconds: then nobody is left there. Default: of every place.
   */
  readonly place?: string;
  /**
   * Told after each commit of the machines that it was about, before anybody learns what came of it. Whoever sends inside a transaction of their own
   * knows alone when that is committed. Must not throw, nor take long.
   */
  readonly onCommit?: (machines: readonly { readonly kind: string; readonly id: string }[]) => void;
};
