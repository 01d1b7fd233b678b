import type { Consumer, EachBatchPayload, Kafka } from "kafkajs";
import { retry } from "./client.ts";
import { joiningRefusal } from "./groups.ts";
import type { Commit } from "./progress.ts";
import type { Fetched } from "./subjects.ts";
import { isSettling } from "./trouble.ts";

/** The least that brokers take by default is 6 s. */
export const sessionMs = 10_000;

export type TopicPartition = { readonly topic: string; readonly partition: number };

export type MemberEvents = {
  /** The group has given this member these partitions, and no others any more. */
  assigned(partitions: readonly TopicPartition[]): void;
  fetched(from: TopicPartition, events: readonly Fetched[]): void;
  /** The coordinator has answered: the member is still one. */
  alive(): void;
  /** The member has ended by itself and does not come back. */
  crashed(error: unknown): void;
};

/** One membership in a consumer group. It fetches and keeps itself alive; what it fetches it hands on at once, and commits only what it is told. */
export type Member = {
  commit(commits: readonly (TopicPartition & Commit)[]): Promise<void>;
  fetch(from: TopicPartition, wanted: boolean): void;
  leave(): Promise<void>;
};

const settlesWithinMs = 10_000;
const askAgainMs = 200;

/** Resolves when the group has given the member its partitions. It is not tried again once `over` is aborted. */
export async function joinGroup(over: AbortSignal, ...how: Parameters<typeof joinOnce>): Promise<Member> {
  const deadline = performance.now() + settlesWithinMs;
  for (;;) {
    try {
      return await joinOnce(...how);
    } catch (error) {
      if (!isSettling(error) || performance.now() > deadline || over.aborted)
        throw await joiningRefusal(error, how[0], how[1]);
      await new Promise((resolve) => setTimeout(resolve, askAgainMs));
    }
  }
}

async function joinOnce(kafka: Kafka, group: string, topics: readonly string[], events: MemberEvents): Promise<Member> {
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: sessionMs,
    rebalanceTimeout: 15_000,
    heartbeatInterval: 1_000,
    // Heartbeats are sent between fetches.
    maxWaitTimeInMs: 500,
    allowAutoTopicCreation: false,
    retry: { ...retry, retries: 5, restartOnFailure: async () => false },
  });
  let failure: unknown;
  let commitVia: EachBatchPayload["commitOffsetsIfNecessary"] | undefined;
  consumer.on("consumer.group_join", ({ payload }) => {
    events.alive();
    events.assigned(partitionsOf(payload.memberAssignment));
  });
  consumer.on("consumer.heartbeat", () => events.alive());
  consumer.on("consumer.crash", ({ payload }) => {
    failure = payload.error;
    events.crashed(payload.error);
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch, commitOffsetsIfNecessary }) => {
        // Of the two ways to commit this is the one that does not start a second loop of fetching when the group is rebalancing.
        commitVia = commitOffsetsIfNecessary;
        events.fetched(batch, batch.messages.map(fetchedOf));
      },
    });
    if (failure !== undefined) throw failure;
  } catch (error) {
    await consumer.disconnect().catch(() => undefined);
    throw error;
  }
  return {
    commit: async (commits) => await commitVia?.({ topics: byTopic(commits) }),
    fetch: (from, wanted) => steer(consumer, from, wanted),
    leave: async () => await consumer.disconnect().catch(() => undefined),
  };
}

function steer(consumer: Consumer, { topic, partition }: TopicPartition, wanted: boolean): void {
  const which = [{ topic, partitions: [partition] }];
  try {
    if (wanted) consumer.resume(which);
    else consumer.pause(which);
  } catch {
    // It does not run any more; the next member begins with everything wanted.
  }
}

function partitionsOf(assignment: Readonly<Record<string, number[]>>): TopicPartition[] {
  return Object.entries(assignment).flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}

function fetchedOf({ offset, key, value }: { offset: string; key: Buffer | null; value: Buffer | null }): Fetched {
  return { offset: Number(offset), subject: key?.toString() ?? "", value: value?.toString() ?? "" };
}

function byTopic(commits: readonly (TopicPartition & Commit)[]) {
  return [...Map.groupBy(commits, ({ topic }) => topic)].map(([topic, own]) => ({
    topic,
    partitions: own.map(({ partition, offset, note }) => ({ partition, offset: String(offset), metadata: note })),
  }));
}
