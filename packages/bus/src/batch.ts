import type { Logger } from "@slipway/sql";
import { backOffMs } from "./back-off.ts";
import { about, keepLease, type Lease } from "./lease.ts";
import {
  type BusDb,
  type Claim,
  type LoggedEvent,
  type Parked,
  park,
  readMissed,
  readNew,
  readParked,
  unpark,
} from "./log-store.ts";
import type { Handler } from "./port.ts";
import { runHandler } from "./run-handler.ts";

const batchSize = 64;

export type BatchContext = {
  readonly db: BusDb;
  readonly handler: Handler;
  readonly log: Logger;
  /** Fires when the subscription stops: the running handler ends, nothing new begins. */
  readonly stopping: AbortSignal;
  /** Fires when the running handlers have been given enough time to end. */
  readonly hurry: AbortSignal;
};

type Work = BatchContext & { readonly claim: Claim; readonly lease: Lease };

/**
 * Works on a claimed partition: first the subjects whose back-off is over, then up to 64 new events. Nobody else in the
 * group works on this partition meanwhile, so "does this subject wait?" has one answer at a time.
 */
export async function workOn(context: BatchContext, claim: Claim, claimedAtMs: number): Promise<void> {
  const lease = keepLease(context.db, claim, claimedAtMs, context.log);
  const work: Work = { ...context, claim, lease };
  try {
    const parked = await readParked(context.db, claim);
    for (const subject of parked.due) {
      if (await catchUp(work, subject)) parked.subjects.delete(subject.subject);
    }
    await takeNew(work, parked.subjects);
  } finally {
    await lease.end();
  }
}

async function takeNew(work: Work, waiting: Set<string>): Promise<void> {
  for (const event of await readNew(work.db, work.claim, batchSize)) {
    if (over(work)) return;
    if (!waiting.has(event.subject)) {
      const failure = await handle(work, event);
      if (work.lease.signal.aborted) return;
      if (failure !== undefined) {
        await parkAfter(work, { subject: event.subject, offset: event.offset, attempts: 1 }, failure);
        waiting.add(event.subject);
      }
    }
    work.lease.progress(event.offset + 1);
  }
}

/** True when the subject has nothing left to catch up with. */
async function catchUp(work: Work, parked: Parked): Promise<boolean> {
  for (let from = parked.offset; ; ) {
    const missed = await readMissed(work.db, work.claim, parked.subject, from, batchSize);
    if (!(await takeMissed(work, parked, missed))) return false;
    const last = missed.at(-1);
    if (last === undefined || missed.length < batchSize) break;
    from = last.offset + 1;
  }
  if (!(await unpark(work.db, work.claim, parked.subject))) work.lease.lose();
  return !work.lease.signal.aborted;
}

async function takeMissed(work: Work, parked: Parked, missed: readonly LoggedEvent[]): Promise<boolean> {
  for (const event of missed) {
    if (over(work)) return false;
    const failure = await handle(work, event);
    if (work.lease.signal.aborted) return false;
    if (failure !== undefined) {
      const attempts = event.offset === parked.offset ? parked.attempts + 1 : 1;
      await parkAfter(work, { ...parked, offset: event.offset, attempts }, failure);
      return false;
    }
  }
  return true;
}

async function parkAfter(work: Work, parked: Parked, failure: unknown): Promise<void> {
  const reason = failure instanceof Error ? failure.message : String(failure);
  const afterMs = backOffMs(parked.attempts);
  work.log.warn(
    { err: failure, ...about(work.claim), subject: parked.subject, attempts: parked.attempts, afterMs },
    "an event could not be handled; its subject waits",
  );
  if (!(await park(work.db, work.claim, parked, afterMs, reason))) work.lease.lose();
}

function over({ lease, stopping }: Work): boolean {
  return lease.signal.aborted || stopping.aborted;
}

/** Undefined when the handler took the event, else why not. */
async function handle(work: Work, event: LoggedEvent): Promise<unknown> {
  return await runHandler(work.handler, () => event.body, [work.lease.signal, work.hurry]);
}
