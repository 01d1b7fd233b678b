import type { Logger } from "@slipway/sql";
import type { SubscribeOptions } from "../port.ts";
import { settled } from "../run-handler.ts";
import type { TopicPartition } from "./member.ts";
import { type PartitionWork, workOnPartition } from "./partition-work.ts";
import { type Commit, type Resumed, resume } from "./progress.ts";
import type { Fetched } from "./subjects.ts";
import { turns } from "./turns.ts";

/** Partitions that one process works on at the same time for one subscription. */
const concurrency = 4;
const askAgainMs = 500;

type Committed = ReadonlyMap<number, { readonly offset: number; readonly note: string | null }>;

export type AssignmentWorld = Pick<SubscribeOptions, "group" | "handler" | "batch"> & {
  readonly log: Logger;
  /** What the group has committed for a topic's partitions; offset -1: nothing. */
  committed(topic: string): Promise<Committed>;
  lease(): AbortSignal;
  steer(from: TopicPartition, wanted: boolean): void;
  commit(commits: readonly (TopicPartition & Commit)[]): Promise<void>;
};

export type Assignments = {
  /** These partitions are ours from now on, others no longer. */
  assign(given: readonly TopicPartition[]): void;
  take(from: TopicPartition, events: readonly Fetched[]): void;
  /** Commits what has come since the last time. */
  commit(): Promise<void>;
  end(graceMs: number, deadlineMs: number): Promise<void>;
};

type Entry = TopicPartition & { readonly work: PartitionWork; committed: string };

/** The partitions that the group has given to this process, and the work on each. */
export function assignments(world: AssignmentWorld): Assignments {
  const { group, handler, batch, log } = world;
  const entries = new Map<string, Entry>();
  const hurry = new AbortController();
  const over = new AbortController();
  const turn = turns(concurrency);
  let committing: Promise<void> = Promise.resolve();

  function open(at: TopicPartition, before: Entry | undefined, fresh: (topic: string) => Promise<Committed>): Entry {
    const context = {
      handler,
      batch,
      log,
      about: { group, ...at },
      hurry: hurry.signal,
      lease: world.lease,
      turn,
      full: (isFull: boolean) => world.steer(at, !isFull),
    };
    // A partition that stays is begun anew like all, once the handler that runs has ended and what it did is known.
    const opening =
      before === undefined
        ? resumeAt(world, at, fresh, over.signal)
        : before.work
            .end()
            .then(() => commitAll(world, [before]))
            .then(() => resumeAt(world, at, world.committed, over.signal));
    world.steer(at, true);
    return { ...at, work: workOnPartition(context, opening, before?.work), committed: "" };
  }

  return {
    assign(given) {
      // A member that was joining while the subscription ended may be given partitions afterwards, on which nobody would end the work.
      if (over.signal.aborted) return;
      const before = new Map(entries);
      const asked = new Map<string, Promise<Committed>>();
      const fresh = (topic: string): Promise<Committed> => {
        const answer = asked.get(topic) ?? world.committed(topic);
        asked.set(topic, answer);
        return answer;
      };
      entries.clear();
      for (const { topic, partition } of given) {
        const key = keyOf({ topic, partition });
        entries.set(key, open({ topic, partition }, before.get(key), fresh));
        before.delete(key);
      }
      for (const { work } of before.values()) void work.lose();
    },
    take: (from, events) => entries.get(keyOf(from))?.work.take(events),
    commit() {
      committing = committing.then(() => commitAll(world, [...entries.values()]));
      return committing;
    },
    async end(graceMs, deadlineMs) {
      over.abort();
      const timer = setTimeout(() => hurry.abort(new Error("the process stops")), graceMs);
      await settled(
        [...entries.values()].map(({ work }) => work.end()),
        deadlineMs,
      );
      clearTimeout(timer);
    },
  };
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${partition} ${topic}`;

async function resumeAt(
  world: AssignmentWorld,
  at: TopicPartition,
  ask: (topic: string) => Promise<Committed>,
  over: AbortSignal,
): Promise<Resumed> {
  for (let question = ask; ; question = world.committed) {
    try {
      const known = (await question(at.topic)).get(at.partition);
      return resume(Math.max(0, known?.offset ?? 0), known?.note ?? null);
    } catch (error) {
      // Without an answer the worst is that something is handled again: no reason to ask for longer than the partition is here.
      if (over.aborted) return resume(0, null);
      world.log.debug({ err: error, group: world.group, ...at }, "what was committed is not known yet; asking again");
      await new Promise((resolve) => setTimeout(resolve, askAgainMs));
    }
  }
}

async function commitAll(world: AssignmentWorld, which: readonly Entry[]): Promise<void> {
  const commits = which.flatMap((entry) => {
    const commit = entry.work.commit();
    if (commit === undefined) return [];
    const text = `${commit.offset} ${commit.note}`;
    return text === entry.committed ? [] : [{ entry, text, ...commit }];
  });
  if (commits.length === 0) return;
  try {
    await world.commit(
      commits.map(({ entry: { topic, partition }, offset, note }) => ({ topic, partition, offset, note })),
    );
    for (const { entry, text } of commits) entry.committed = text;
  } catch (error) {
    // Comes again with the next one. If the group is being divided anew, what is not committed is done again by somebody.
    world.log.debug({ err: error, group: world.group }, "progress could not be committed");
  }
}
