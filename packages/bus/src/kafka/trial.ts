import type { Kafka } from "kafkajs";
import type { KafkaBusOptions } from "../kafka.ts";
import { type KafkaAddress, parseKafkaUrl } from "./address.ts";
import { openQuestions } from "./admin.ts";
import { openKafka } from "./client.ts";
import { groupRefusal } from "./groups.ts";
import { openOwnership } from "./ownership.ts";
import { openProducers } from "./producers.ts";
import { openReader } from "./reader.ts";
import { kafkaSockets } from "./sockets.ts";
import { openTopics } from "./topics.ts";
import { type BusUnavailable, busUnavailable } from "./trouble.ts";

/** As those of services, and never made. */
const name = "slipway.doctor";

/**
 * What services would meet that publish and subscribe for the first time with a Kafka which answers: no right to make topics, to send so that nothing is
 * there twice, or to be in one of these groups; topics of another installation; or more copies asked for than there are brokers. A sentence, or undefined; nothing is made. Never rejects.
 */
export async function kafkaTrial(
  { url, log, keepEventsMs = 0, installation = async () => undefined }: KafkaBusOptions,
  groups: readonly string[],
): Promise<string | undefined> {
  const address = parseKafkaUrl(url);
  const topic = `${address.prefix}${name}`;
  const sockets = kafkaSockets();
  const client = openKafka(address, log, sockets, () => undefined);
  const kafka = () => client;
  const questions = openQuestions(kafka, address);
  const producers = openProducers(kafka);
  const topics = openTopics(questions, address, keepEventsMs);
  const reader = openReader(kafka, { questions, topics, address });
  try {
    await openOwnership({ ...{ reader, address, log, installation }, publisher: undefined }).check();
    await topics.tryOut(topic);
    await producers.tryOut();
    return (await groupsTrouble(await kafka(), groups, address))?.message;
  } catch (error) {
    return busUnavailable(error, address, { topic }).message;
  } finally {
    await questions.close();
    await producers.close();
    await reader.close();
    sockets.cut();
  }
}

async function groupsTrouble(
  kafka: Kafka,
  groups: readonly string[],
  address: KafkaAddress,
): Promise<BusUnavailable | undefined> {
  const named = groups.map((group) => `${address.prefix}${group}`);
  const refused = await groupRefusal(kafka, named);
  return refused === undefined ? undefined : busUnavailable(refused.error, address, { group: refused.group });
}
