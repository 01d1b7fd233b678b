import type { Admin } from "kafkajs";
import type { KafkaAddress } from "./address.ts";
import type { Questions } from "./admin.ts";

/** As many as the bus in Postgres has. Another number would move subjects between partitions and break their order. */
const partitionsOfNew = 8;

export type Topics = {
  /** How many partitions the topic has; undefined when there is no such topic. */
  partitions(topic: string): Promise<number | undefined>;
  /** The same; a topic that is missing is made. */
  ensure(topic: string): Promise<number>;
  /** Asks for a new topic as `ensure` does, and the brokers make none: rejects with what they would refuse. */
  tryOut(topic: string): Promise<void>;
  /** What was known of the topic may be wrong. */
  forget(topic: string): void;
};

export function openTopics(questions: Questions, address: KafkaAddress, keepEventsMs: number): Topics {
  const known = new Map<string, number>();

  async function look(topic: string): Promise<number | undefined> {
    const count = known.get(topic) ?? (await questions.ask((admin) => partitionsOf(admin, topic), { topic }));
    if (count !== undefined) known.set(topic, count);
    return count;
  }

  async function make(admin: Admin, topic: string, validateOnly = false): Promise<void> {
    const brokers = (await admin.describeCluster()).brokers.length;
    const replicationFactor = address.replication ?? Math.min(3, brokers);
    const configEntries = [
      { name: "retention.ms", value: String(keepEventsMs) },
      { name: "cleanup.policy", value: "delete" },
      // With three copies one broker may be away, and what was acknowledged is on two.
      ...(replicationFactor >= 3 ? [{ name: "min.insync.replicas", value: "2" }] : []),
    ];
    const topics = [{ topic, numPartitions: partitionsOfNew, replicationFactor, configEntries }];
    // False: somebody else made it meanwhile. The library's own waiting takes a broker that has not heard of it yet for a failure.
    await admin.createTopics({ topics, waitForLeaders: false, validateOnly });
  }

  return {
    partitions: look,
    tryOut: (topic) => questions.ask((admin) => make(admin, topic, true), { topic }),
    async ensure(topic) {
      const there = await look(topic);
      if (there !== undefined) return there;
      await questions.ask((admin) => make(admin, topic), { topic });
      // Brokers hear of a new topic one after the other; one that knows of no leader yet is asked again.
      return await questions.ask(
        async (admin) => {
          for (let left = 100; ; left -= 1) {
            const count = await partitionsOf(admin, topic);
            if (count !== undefined) {
              known.set(topic, count);
              return count;
            }
            if (left === 0) throw new Error("it was made, and no broker knows of it");
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
        },
        { topic },
      );
    },
    forget: (topic) => void known.delete(topic),
  };
}

async function partitionsOf(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.length;
  } catch (error) {
    if (error instanceof Error && "type" in error && error.type === "UNKNOWN_TOPIC_OR_PARTITION") return undefined;
    throw error;
  }
}
