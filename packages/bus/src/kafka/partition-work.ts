import type { Logger } from "@slipway/sql";
import { newBell } from "../bell.ts";
import type { Handler } from "../port.ts";
import { runHandler } from "../run-handler.ts";
import { type Commit, commitOf, type Resumed } from "./progress.ts";
import { type Fetched, type Waiting, waitingSubjects } from "./subjects.ts";

/** With so many events that wait for a subject's next attempt, the whole partition waits: they are kept in memory. */
const mostWaiting = 10_000;
/** Fetching pauses above the one and goes on below the other. */
const queueIsLong = 1_000;
const queueIsShort = 200;
const longestWaitMs = 1_000;

export type WorkContext = {
  readonly handler: Handler;
  readonly log: Logger;
  readonly about: { readonly group: string; readonly topic: string; readonly partition: number };
  /** Fires when running handlers have been given enough time to end. */
  readonly hurry: AbortSignal;
  /** Of the membership in the group as it is now: fired while the group may have given the partition to another. */
  lease(): AbortSignal;
  /** Runs work when there is room for it in this process. */
  turn(work: () => Promise<void>): Promise<void>;
  /** True: fetch nothing more for now. */
  full(isFull: boolean): void;
};

/** The work on one partition from its assignment to this member until it is taken away. */
export type PartitionWork = {
  take(events: readonly Fetched[]): void;
  /** Begins nothing new. Resolves when the running handler has ended. */
  end(): Promise<void>;
  /** The same, and tells the running handler to stop: another member has the partition now. */
  lose(): Promise<void>;
  /** Where it stands; undefined before anything was done, and when it is lost. */
  commit(): Commit | undefined;
};

/** `before`: the work of this process on the same partition, which is ended first. */
export function workOnPartition(
  context: WorkContext,
  opening: Promise<Resumed>,
  before: PartitionWork | undefined,
): PartitionWork {
  const { log, about } = context;
  const bell = newBell();
  const waiting = waitingSubjects();
  const queue: Fetched[] = [];
  const lost = new AbortController();
  const ended = Promise.withResolvers<undefined>();
  let previous = before;
  let isFull = false;
  let position: number | undefined;

  /** Undefined: done. */
  async function handle(event: Fetched): Promise<unknown> {
    const signals = [lost.signal, context.hurry, context.lease()];
    return await runHandler(context.handler, () => JSON.parse(event.value), signals);
  }

  function failed(event: Fetched, failure: unknown): void {
    const afterMs = waiting.failed(event.subject, performance.now());
    log.warn(
      { err: failure, ...about, subject: event.subject, offset: event.offset, afterMs },
      "an event could not be handled; its subject waits",
    );
  }

  async function takeNext(event: Fetched, resumed: Resumed): Promise<void> {
    if (!resumed.isDone(event.offset)) {
      if (waiting.has(event.subject)) {
        waiting.add(event);
      } else {
        const failure = await handle(event);
        if (failure !== undefined) {
          waiting.add(event);
          failed(event, failure);
        }
      }
    }
    position = event.offset + 1;
  }

  /** Goes on with a subject until it has caught up, or fails again. */
  async function catchUp(subject: Waiting): Promise<void> {
    for (let event = subject.events[0]; event !== undefined && !idle(); event = subject.events[0]) {
      const failure = await handle(event);
      if (failure !== undefined) return failed(event, failure);
      waiting.done(event.subject);
    }
  }

  let ending = false;
  const idle = (): boolean => ending || lost.signal.aborted || context.lease().aborted;

  function step(resumed: Resumed): (() => Promise<void>) | undefined {
    if (idle()) return undefined;
    const due = waiting.due(performance.now());
    if (due !== undefined) return () => catchUp(due);
    if (waiting.size >= mostWaiting || queue.length === 0) return undefined;
    return async () => {
      const event = queue.shift();
      if (event !== undefined) await takeNext(event, resumed);
      if (isFull && queue.length < queueIsShort) setFull(false);
    };
  }

  function setFull(full: boolean): void {
    isFull = full;
    context.full(full);
  }

  async function run(): Promise<void> {
    await previous?.end();
    previous = undefined;
    const resumed = await Promise.race([opening, ended.promise]);
    while (resumed !== undefined && !ending && !lost.signal.aborted) {
      const next = step(resumed);
      if (next === undefined) {
        await bell.wait(Math.min(longestWaitMs, waiting.nextInMs(performance.now())));
      } else {
        // What waited for its turn may have been taken away meanwhile.
        await context.turn(async () => {
          if (!idle()) await next();
        });
      }
    }
  }
  const running = run().catch((error: unknown) =>
    log.error({ err: error, ...about }, "a partition was left half done"),
  );

  return {
    take(events) {
      queue.push(...events);
      if (!isFull && queue.length > queueIsLong) setFull(true);
      bell.ring();
    },
    end() {
      ending = true;
      ended.resolve(undefined);
      bell.ring();
      return running;
    },
    lose() {
      void previous?.lose();
      lost.abort(new Error("another process took over the partition"));
      ended.resolve(undefined);
      bell.ring();
      return running;
    },
    commit() {
      if (position === undefined || lost.signal.aborted) return undefined;
      return commitOf(position, waiting.offsets());
    },
  };
}
