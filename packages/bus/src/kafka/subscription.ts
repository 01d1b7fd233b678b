import type { Logger } from "@slipway/sql";
import type { Kafka } from "kafkajs";
import { newBell } from "../bell.ts";
import type { SubscribeOptions, Subscription } from "../port.ts";
import { settled } from "../run-handler.ts";
import type { KafkaAddress } from "./address.ts";
import type { Questions } from "./admin.ts";
import { assignments } from "./assignments.ts";
import { joinGroup, type Member, sessionMs } from "./member.ts";
import type { Topics } from "./topics.ts";
import { busUnavailable } from "./trouble.ts";

const stopGraceMs = 5_000;
const stopDeadlineMs = 10_000;
const rejoinAfterMs = 500;
const checkMs = 500;
const commitEveryMs = 100;

export type KafkaSubscription = Subscription & {
  /** Why no events come now. */
  trouble(): string | undefined;
};

export type SubscriptionWorld = {
  readonly kafka: () => Promise<Kafka>;
  readonly questions: Questions;
  readonly topics: Topics;
  readonly address: KafkaAddress;
  readonly log: Logger;
};

/**
 * Consumes as a member of a Kafka consumer group. A member that crashed is replaced by a new one for as long as it takes. Rejects when the first one
 * cannot join.
 */
export async function subscribeKafka(world: SubscriptionWorld, options: SubscribeOptions): Promise<KafkaSubscription> {
  const { address, log } = world;
  const { group, topics } = options;
  const stopping = new AbortController();
  const bell = newBell();
  let member: Member | undefined;
  let trouble: string | undefined;
  let lease = new AbortController();
  let aliveAt = performance.now();

  const partitions = assignments({
    ...options,
    log,
    committed: (topic) => committedIn(world.questions, group, topic),
    lease: () => lease.signal,
    steer: (from, wanted) => member?.fetch(from, wanted),
    commit: async (commits) => await member?.commit(commits),
  });

  const lapse = (reason: string): void => lease.abort(new Error(reason));

  async function join(): Promise<void> {
    for (const topic of topics) await world.topics.ensure(topic);
    const kafka = await world.kafka();
    member = await joinGroup(stopping.signal, kafka, group, topics, {
      assigned: (given) => partitions.assign(given),
      fetched: (from, events) => partitions.take(from, events),
      alive() {
        aliveAt = performance.now();
        if (lease.signal.aborted) lease = new AbortController();
      },
      crashed(error) {
        member = undefined;
        trouble = busUnavailable(error, address, { group }).message;
        lapse("the membership in the group has ended");
        partitions.assign([]);
        bell.ring();
      },
    });
    trouble = undefined;
  }

  async function keepJoined(): Promise<void> {
    while (!stopping.signal.aborted) {
      await bell.wait(member === undefined ? rejoinAfterMs : checkMs);
      if (stopping.signal.aborted) return;
      if (performance.now() - aliveAt > sessionMs) lapse("the group has not answered for a session's time");
      if (member === undefined) {
        await join().catch((error: unknown) => {
          trouble = busUnavailable(error, address, { group }).message;
          log.warn({ group, topics, reason: trouble }, "no events come from the bus; trying again");
        });
      }
    }
  }

  try {
    await join();
  } catch (error) {
    await partitions.end(stopGraceMs, stopDeadlineMs);
    throw busUnavailable(error, address, { topic: topics[0], group });
  }
  const joined = keepJoined();
  const committing = setInterval(() => void partitions.commit(), commitEveryMs);
  let stopped: Promise<void> | undefined;

  async function stop(): Promise<void> {
    stopping.abort();
    bell.ring();
    await partitions.end(stopGraceMs, stopDeadlineMs);
    clearInterval(committing);
    await partitions.commit();
    await settled([joined.then(() => member?.leave())], stopGraceMs);
  }

  return {
    trouble: () => trouble ?? (lease.signal.aborted ? String(lease.signal.reason.message) : undefined),
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

async function committedIn(questions: Questions, group: string, topic: string) {
  const answer = await questions.ask((admin) => admin.fetchOffsets({ groupId: group, topics: [topic] }), {
    topic,
    group,
  });
  const partitions = answer.find((one) => one.topic === topic)?.partitions ?? [];
  return new Map(
    partitions.map(({ partition, offset, metadata }) => [partition, { offset: Number(offset), note: metadata }]),
  );
}
