import { newBell } from "../bell.ts";
import { inOrder } from "./in-order.ts";
import type { Commit, Resumed } from "./progress.ts";
import type { Fetched } from "./subjects.ts";
import type { WorkContext } from "./work-context.ts";

/** Fetching pauses above the one and goes on below the other. */
const queueIsLong = 1_000;
const queueIsShort = 200;
const longestWaitMs = 1_000;
/** Events that are taken at once, where the handler can. */
const mostAtOnce = 250;

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
  const bell = newBell();
  const queue: Fetched[] = [];
  const lost = new AbortController();
  const ended = Promise.withResolvers<undefined>();
  let previous = before;
  let isFull = false;
  let ending = false;
  const idle = (): boolean => ending || lost.signal.aborted || context.lease().aborted;
  const events = inOrder(context, lost.signal, idle);

  function step(resumed: Resumed): (() => Promise<void>) | undefined {
    if (idle()) return undefined;
    const due = events.due();
    if (due !== undefined || events.full || queue.length === 0) return due;
    return async () => {
      const next = queue.splice(0, context.batch === undefined ? 1 : mostAtOnce);
      queue.unshift(...(await events.take(next, (offset) => resumed.isDone(offset))));
      if (isFull && queue.length < queueIsShort) setFull(false);
    };
  }

  function setFull(full: boolean): void {
    isFull = full;
    if (!lost.signal.aborted) context.full(full);
  }

  async function run(): Promise<void> {
    await previous?.end();
    previous = undefined;
    const resumed = await Promise.race([opening, ended.promise]);
    while (resumed !== undefined && !ending && !lost.signal.aborted) {
      const next = step(resumed);
      if (next === undefined) {
        await bell.wait(Math.min(longestWaitMs, events.nextInMs()));
      } else {
        // What waited for its turn may have been taken away meanwhile.
        await context.turn(async () => {
          if (!idle()) await next();
        });
      }
    }
  }
  const running = run().catch((error: unknown) =>
    context.log.error({ err: error, ...context.about }, "a partition was left half done"),
  );

  return {
    take(fetched) {
      queue.push(...fetched);
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
    commit: () => (lost.signal.aborted ? undefined : events.commit()),
  };
}
