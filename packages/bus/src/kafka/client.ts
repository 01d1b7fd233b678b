import type { Logger } from "@slipway/sql";
import type { Kafka, KafkaConfig, SASLOptions } from "kafkajs";
import type { KafkaAddress } from "./address.ts";
import type { Sockets } from "./sockets.ts";

/** Attempts of the library itself, within one call of ours: about 9 s, so that nothing of it goes on for long after our deadlines. */
export const retry = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 10 };

/** Loaded when a Kafka is configured: nobody else pays for it. */
export async function kafkaLibrary(): Promise<typeof import("kafkajs")> {
  return (await import("kafkajs")).default;
}

/** `heard`: what the library says of connections while it goes on trying: more than who has waited long enough can say. */
export async function openKafka(
  address: KafkaAddress,
  log: Logger,
  sockets: Sockets,
  heard: (complaint: string) => void,
): Promise<Kafka> {
  const { Kafka: Client, logLevel } = await kafkaLibrary();
  const config: KafkaConfig = {
    clientId: "slipway",
    brokers: [...address.brokers],
    socketFactory: sockets.open,
    connectionTimeout: 3_000,
    authenticationTimeout: 5_000,
    requestTimeout: 10_000,
    retry,
    logLevel: logLevel.WARN,
    // It tells every attempt; what matters is said by us, once.
    logCreator: () => (entry) => {
      log.debug({ kafka: entry.namespace }, entry.log.message);
      const complaint = String(entry.log.message);
      if (/connection/i.test(complaint)) heard(complaint);
    },
  };
  return new Client({
    ...config,
    ...(address.tls ? { ssl: true } : {}),
    ...(address.sasl === undefined ? {} : { sasl: { ...address.sasl } as SASLOptions }),
  });
}
