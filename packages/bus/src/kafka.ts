import type { Logger } from "@slipway/sql";
import type { Kafka } from "kafkajs";
import { checkTopic } from "./acceptable.ts";
import { parseKafkaUrl } from "./kafka/address.ts";
import { answered, DeadlineTimeout, openQuestions } from "./kafka/admin.ts";
import { openKafka } from "./kafka/client.ts";
import { openOwnership } from "./kafka/ownership.ts";
import { openProducers } from "./kafka/producers.ts";
import { openPublisher } from "./kafka/publisher.ts";
import { openReader } from "./kafka/reader.ts";
import { kafkaSockets } from "./kafka/sockets.ts";
import { type KafkaSubscription, subscribeKafka } from "./kafka/subscription.ts";
import { openTopics } from "./kafka/topics.ts";
import { busUnavailable, connectionTrouble } from "./kafka/trouble.ts";
import { versionsCheck } from "./kafka/versions.ts";
import type { Bus } from "./port.ts";
import { settled } from "./run-handler.ts";

export type KafkaBusOptions = {
  /** `kafka://host:9092,…`: see parseKafkaUrl. */
  readonly url: string;
  readonly log: Logger;
  /** Retention of topics that are made here; a day at least. Default 30 days. */
  readonly keepEventsMs?: number;
  /** Which installation this is; undefined: it cannot be told now. Given, topics that are another's are refused. */
  readonly installation?: () => Promise<string | undefined>;
};

const forEver = -1;
const dayMs = 86_400_000;
/** Whoever asks whether all is well does not wait for attempts to connect. */
const readyMs = 1_500;
const closeMs = 10_000;

/** A bus on Kafka. Connects at first use. Throws Error when the URL cannot be read. */
export function kafkaBus({ url, log, keepEventsMs = 30 * dayMs, installation }: KafkaBusOptions): Bus {
  const address = parseKafkaUrl(url);
  const sockets = kafkaSockets();
  let client: Promise<Kafka> | undefined;
  let complaint = { text: "", at: Number.NEGATIVE_INFINITY };
  const kafka = (): Promise<Kafka> => {
    client ??= openKafka(address, log, sockets, (text) => {
      complaint = { text, at: performance.now() };
    });
    return client;
  };
  const questions = openQuestions(kafka, address);
  const topics = openTopics(questions, address, Math.max(dayMs, keepEventsMs));
  const versionsTrouble = versionsCheck(kafka, address);
  const producers = openProducers(kafka);
  const publisher = openPublisher(producers, topics, address);
  const reader = openReader(kafka, { questions, topics, address });
  const claims = openPublisher(producers, openTopics(questions, address, forEver), address);
  const ownership =
    installation === undefined ? undefined : openOwnership({ reader, publisher: claims, address, log, installation });
  const subscriptions = new Set<KafkaSubscription>();
  const named = (name: string): string => `${address.prefix}${name}`;
  const world = { kafka, questions, topics, address, log };

  return {
    async publish(topic, events) {
      await ownership?.check();
      await publisher.publish(named(topic), events);
    },
    async read(topic, from, limit) {
      await ownership?.check();
      return await reader.read(named(topic), from, limit);
    },

    // Kafka forgets by itself: retention.ms of the topic.
    forget: async () => 0,

    async subscribe(options) {
      const topics = options.topics.map(named);
      topics.forEach(checkTopic);
      await ownership?.check();
      const subscription = await subscribeKafka(world, { ...options, topics, group: named(options.group) });
      subscriptions.add(subscription);
      return {
        async stop() {
          await subscription.stop();
          subscriptions.delete(subscription);
        },
      };
    },

    async ready() {
      const troubled = [...subscriptions].map((one) => one.trouble()).find((reason) => reason !== undefined);
      if (troubled !== undefined) return troubled;
      const foreign = ownership?.problem();
      if (foreign !== undefined) return foreign;
      // On a busy machine the library takes as long to load as Kafka may take to answer.
      await kafka().catch(() => undefined);
      const askedAt = performance.now();
      const answer = questions.ask((admin) => admin.describeCluster()).then(versionsTrouble);
      return await answered(readyMs, answer).catch((error: unknown) => {
        const heard = error instanceof DeadlineTimeout && complaint.at >= askedAt;
        return busUnavailable(heard ? connectionTrouble(complaint.text) : error, address).message;
      });
    },

    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()));
      await settled([producers.close(), questions.close(), reader.close()], closeMs);
      sockets.cut();
    },
  };
}
