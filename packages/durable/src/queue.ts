import type { Logger } from "@slipway/sql";
import { applyBatch, type BatchResult, type Item, keyOfItem, type Result } from "./batch.ts";
import type { MachineKey } from "./rows.ts";
import type { DurableDb } from "./tables.ts";
import type { AnyMachine } from "./types.ts";

export type Queue = {
  /** Resolves after the commit. Rejects when the database is away or the item itself cannot be written. */
  push(item: Item): Promise<Result>;
  readonly length: number;
};

type Waiting = {
  readonly item: Item;
  readonly giveUpAt: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
};

const largestBatch = 100;
const recordPatienceMs = 30_000;

/**
 * Whatever arrives while a transaction runs goes together into the next one. A batch that the database refuses is taken
 * apart and each item tried alone, so that a poison item harms nobody else.
 */
export function createQueue(
  db: DurableDb,
  machines: ReadonlyMap<string, AnyMachine>,
  log: Logger,
  onCommit: (machines: readonly MachineKey[]) => void,
): Queue {
  const waiting: Waiting[] = [];
  let unsettled = 0;
  let running = false;

  const apply = async (items: readonly Item[]): Promise<BatchResult> =>
    await db.transaction().execute(async (tx) => await applyBatch(tx, machines, items));

  async function settle(batch: readonly Waiting[]): Promise<void> {
    const outcome = await attempt(batch.map(({ item }) => item));
    if (outcome.kind === "committed") return announce(batch, outcome);
    if (outcome.kind === "rolled_back" && batch.length > 1) {
      for (const entry of batch) await settle([entry]);
      return;
    }
    for (const entry of batch) {
      if (outcome.kind === "unknown") retryOrReject(entry, outcome.error);
      else entry.reject(outcome.error);
    }
  }

  function announce(batch: readonly Waiting[], { results, transitions }: BatchResult): void {
    for (const { kind, id, from, to, version } of transitions)
      log.info({ machine: kind, id, from, to, version }, "phase changed");
    for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
    onCommit(batch.map(({ item }) => keyOfItem(item)));
  }

  async function attempt(items: readonly Item[]): Promise<Attempt> {
    for (let round = 1; ; round += 1) {
      try {
        return { kind: "committed", ...(await apply(items)) };
      } catch (error) {
        if (!wasRolledBack(error)) return { kind: "unknown", error };
        if (!isCollision(error) || round === 5) return { kind: "rolled_back", error };
      }
    }
  }

  /** An outcome is fenced by its lease, so that it may be tried again though the first try may have been committed. */
  function retryOrReject(entry: Waiting, error: unknown): void {
    if (entry.item.kind === "send" || performance.now() > entry.giveUpAt) {
      entry.reject(error);
      return;
    }
    log.warn({ err: error, machine: keyOfItem(entry.item) }, "an outcome could not be recorded, will be tried again");
    setTimeout(() => enqueue(entry), 200);
  }

  function enqueue(entry: Waiting): void {
    waiting.push(entry);
    if (!running) {
      running = true;
      // One turn later, so that what arrives together is applied together.
      setImmediate(() => void run());
    }
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) await settle(waiting.splice(0, largestBatch));
    running = false;
  }

  return {
    async push(item) {
      unsettled += 1;
      try {
        return await new Promise<Result>((resolve, reject) => {
          enqueue({ item, giveUpAt: performance.now() + recordPatienceMs, resolve, reject });
        });
      } finally {
        unsettled -= 1;
      }
    },
    get length() {
      return unsettled;
    },
  };
}

type Attempt =
  | ({ readonly kind: "committed" } & BatchResult)
  | { readonly kind: "rolled_back"; readonly error: unknown }
  | { readonly kind: "unknown"; readonly error: unknown };

/**
 * True where nothing was committed for certain: the server said so, or our own code threw before the commit. A connection
 * that broke may have done so after the commit.
 */
function wasRolledBack(error: unknown): boolean {
  const { severity, code } = error as { severity?: string; code?: string };
  if (severity !== undefined) return !/^(08|57P)/.test(code ?? "");
  return error instanceof TypeError || error instanceof RangeError;
}

/** Deadlock and serialization failure: the same transaction may well succeed the next time. */
function isCollision(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === "40P01" || code === "40001";
}
