import { runBatch, runHandler } from "../run-handler.ts";
import { type Commit, commitOf } from "./progress.ts";
import { type Fetched, type Waiting, waitingSubjects } from "./subjects.ts";
import type { WorkContext } from "./work-context.ts";

/** With so many events that wait for a subject's next attempt, the whole partition waits: they are kept in memory. */
const mostWaiting = 10_000;

/** Gives the events of one partition to the handler: a subject whose event fails waits, the others pass it. */
export type InOrder = {
  /** The next events of the partition. Of those that are done only the position moves. Answers those at the end that could not be begun now. */
  take(events: readonly Fetched[], isDone: (offset: number) => boolean): Promise<readonly Fetched[]>;
  /** Work on a subject whose time has come, if there is one. */
  due(): (() => Promise<void>) | undefined;
  /** No further event may be taken for now. */
  readonly full: boolean;
  nextInMs(): number;
  commit(): Commit | undefined;
};

export function inOrder(context: WorkContext, lost: AbortSignal, idle: () => boolean): InOrder {
  const waiting = waitingSubjects();
  let position: number | undefined;

  /** Undefined: the handler took it. */
  async function handle(event: Fetched): Promise<unknown> {
    return await runHandler(context.handler, () => JSON.parse(event.value), signals());
  }

  const signals = (): readonly AbortSignal[] => [lost, context.hurry, context.lease()];

  /** True: all of them are done. */
  async function handleAll(events: readonly Fetched[]): Promise<boolean> {
    const { batch, log, about } = context;
    if (batch === undefined || events.length < 2) return false;
    const failure = await runBatch(batch, () => events.map(({ value }) => JSON.parse(value)), signals());
    if (failure !== undefined)
      log.debug({ err: failure, ...about, events: events.length }, "events are taken one by one");
    return failure === undefined;
  }

  async function takeOne(event: Fetched, done: boolean): Promise<void> {
    if (!done && waiting.has(event.subject)) {
      waiting.add(event);
    } else if (!done) {
      const failure = await handle(event);
      if (failure !== undefined) {
        waiting.add(event);
        failed(event, failure);
      }
    }
    position = event.offset + 1;
  }

  function failed({ subject, offset }: Fetched, failure: unknown): void {
    const afterMs = waiting.failed(subject, performance.now());
    const about = { ...context.about, subject, offset, afterMs };
    context.log.warn({ err: failure, ...about }, "an event could not be handled; its subject waits");
  }

  /** Goes on with a subject until it has caught up, or fails again. */
  async function catchUp(subject: Waiting): Promise<void> {
    for (let event = subject.events[0]; event !== undefined && !idle(); event = subject.events[0]) {
      const failure = await handle(event);
      if (failure !== undefined) return failed(event, failure);
      waiting.done(event.subject);
    }
  }

  return {
    async take(events, isDone) {
      const free = events.filter(({ offset, subject }) => !isDone(offset) && !waiting.has(subject));
      const together = new Set((await handleAll(free)) ? free : []);
      for (const [index, event] of events.entries()) {
        const done = isDone(event.offset) || together.has(event);
        if (!done && idle()) return events.slice(index);
        await takeOne(event, done);
      }
      return [];
    },
    due() {
      const subject = waiting.due(performance.now());
      return subject === undefined ? undefined : () => catchUp(subject);
    },
    get full() {
      return waiting.size >= mostWaiting;
    },
    nextInMs: () => waiting.nextInMs(performance.now()),
    commit: () => (position === undefined ? undefined : commitOf(position, waiting.offsets())),
  };
}
