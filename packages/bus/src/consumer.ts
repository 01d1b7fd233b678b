import { randomUUID } from "node:crypto";
import type { Logger } from "@slipway/sql";
import { workOn } from "./batch.ts";
import { newBell } from "./bell.ts";
import { leaseMs } from "./lease.ts";
import { type BusDb, claimPartition, joinGroup } from "./log-store.ts";
import type { SubscribeOptions, Subscription } from "./port.ts";
import { settled } from "./run-handler.ts";

/** Partitions that one process works on at the same time for one subscription. */
const concurrency = 4;
/** While something is about to be due, or the bus does not answer. */
const longestWaitMs = 1_000;
/** While there is nothing to do: what is published rings, and a lost ring costs at most this. */
const idleWaitMs = 5_000;
const shortestWaitMs = 10;
const stopGraceMs = 5_000;
const stopDeadlineMs = 10_000;

export type Consumer = Subscription & {
  /** Something was published to the topic: look at once. */
  wake(topic: string): void;
};

/**
 * Consumes as a member of a group: claims a partition that has work, works on it under a lease, gives it back. Which
 * member gets which partition is decided anew at each claim, so members come and go without any agreement.
 */
export async function consume(db: BusDb, options: SubscribeOptions, log: Logger): Promise<Consumer> {
  const { group, topics, handler } = options;
  await joinGroup(db, group, topics);
  const stopping = new AbortController();
  const hurry = new AbortController();
  const context = { db, handler, log, stopping: stopping.signal, hurry: hurry.signal };
  const bell = newBell();
  const running = new Set<Promise<void>>();

  /** In how many ms to look again, unless the bell rings. */
  async function claimNext(): Promise<number> {
    if (running.size >= concurrency) return longestWaitMs;
    const askedAt = performance.now();
    const claim = await claimPartition(db, group, topics, randomUUID(), leaseMs);
    if ("waitMs" in claim) {
      return claim.waitMs === null ? idleWaitMs : Math.max(shortestWaitMs, Math.min(longestWaitMs, claim.waitMs));
    }
    const work = workOn(context, claim, askedAt)
      .catch((error) => log.error({ err: error, group, topic: claim.topic }, "a partition was left half done"))
      .finally(() => {
        running.delete(work);
        bell.ring();
      });
    running.add(work);
    return 0;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const waitMs = await claimNext();
        if (waitMs > 0) await bell.wait(waitMs);
      } catch (error) {
        log.warn({ err: error, group }, "the bus does not answer; trying again");
        await bell.wait(longestWaitMs);
      }
    }
  }
  const loop = run();
  let stopped: Promise<void> | undefined;

  return {
    wake(topic) {
      if (topic === "" || topics.includes(topic)) bell.ring();
    },
    stop() {
      stopped ??= (async () => {
        stopping.abort();
        bell.ring();
        await loop;
        const timer = setTimeout(() => hurry.abort(new Error("the process stops")), stopGraceMs);
        await settled([...running], stopDeadlineMs);
        clearTimeout(timer);
      })();
      return stopped;
    },
  };
}
