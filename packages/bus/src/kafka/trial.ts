import type { KafkaBusOptions } from "../kafka.ts";
import { parseKafkaUrl } from "./address.ts";
import { openQuestions } from "./admin.ts";
import { openKafka } from "./client.ts";
import { kafkaSockets } from "./sockets.ts";
import { openTopics } from "./topics.ts";
import { busUnavailable } from "./trouble.ts";

/** As those of services, and never made. */
const topic = "slipway.doctor";

/**
 * What a service would meet that publishes for the first time to a Kafka which answers: no right to make topics, or more copies asked for than there are
 * brokers. A sentence, or undefined; nothing is made. Never rejects.
 */
export async function kafkaTrial({ url, log, keepEventsMs = 0 }: KafkaBusOptions): Promise<string | undefined> {
  const address = parseKafkaUrl(url);
  const sockets = kafkaSockets();
  const questions = openQuestions(() => openKafka(address, log, sockets, () => undefined), address);
  try {
    await openTopics(questions, address, keepEventsMs).tryOut(topic);
    return undefined;
  } catch (error) {
    return busUnavailable(error, address, topic).message;
  } finally {
    await questions.close();
    sockets.cut();
  }
}
