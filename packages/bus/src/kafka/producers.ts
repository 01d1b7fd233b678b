import type { Kafka, Message, Producer } from "kafkajs";
import { answered } from "./admin.ts";
import { kafkaLibrary, retry } from "./client.ts";

/** The library itself stalls for 5 to 10 s when a broker dies. */
const sendDeadlineMs = 10_000;

export type Producers = {
  /** Resolves once every copy that must be there is there. When it rejects, the messages may have been taken or not. */
  send(topic: string, partition: number, messages: Message[]): Promise<void>;
  /** Makes a producer, which is let in by the brokers, and sends nothing. */
  tryOut(): Promise<void>;
  close(): Promise<void>;
};

type Made = { readonly producer: Promise<Producer>; sending: number; failed: boolean };

/**
 * One idempotent producer at a time. A send names exactly one partition: the library forgets messages of a send over several when a
 * leader moves between its attempts, and says that they were sent. After a failure nobody knows which sequence number the broker has seen, so
 * that producer is given up: it ends when its other sends have.
 */
export function openProducers(kafka: () => Promise<Kafka>): Producers {
  let current: Made | undefined;
  const all = new Set<Made>();

  function take(): Made {
    if (current === undefined) {
      current = { producer: make(kafka), sending: 0, failed: false };
      all.add(current);
    }
    return current;
  }

  async function retire(made: Made): Promise<void> {
    all.delete(made);
    const producer = await made.producer.catch(() => undefined);
    await producer?.disconnect().catch(() => undefined);
  }

  return {
    async send(topic, partition, messages) {
      const made = take();
      made.sending += 1;
      const sent = made.producer
        .then((producer) =>
          producer.send({ topic, acks: -1, messages: messages.map((message) => ({ ...message, partition })) }),
        )
        .finally(() => {
          made.sending -= 1;
          if (made.failed && made.sending === 0) void retire(made);
        });
      try {
        await answered(sendDeadlineMs, sent);
      } catch (error) {
        made.failed = true;
        if (current === made) current = undefined;
        if (made.sending === 0) void retire(made);
        throw error;
      }
    },
    tryOut: async () => void (await answered(sendDeadlineMs, take().producer)),
    async close() {
      await Promise.all([...all].map(retire));
    },
  };
}

async function make(kafka: () => Promise<Kafka>): Promise<Producer> {
  const { Partitioners } = await kafkaLibrary();
  const producer = (await kafka()).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry,
  });
  await producer.connect();
  return producer;
}
