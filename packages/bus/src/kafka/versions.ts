import type { Kafka } from "kafkajs";
import type { KafkaAddress } from "./address.ts";
import { type FetchCluster, openFetchCluster } from "./fetcher.ts";
import { oldestKafka } from "./trouble.ts";

/** What a broker says that it speaks, by the number of the request. */
export type SpokenVersions = Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>;

/**
 * Name and number of each request that is made here, the version from which on it does what is needed, and the newest that the library speaks. No
 * broker tells its own version. Headers, what is committed only, and idempotent producers came together, with Kafka 0.11.
 */
const requests: readonly (readonly [name: string, key: number, from: number, upTo: number])[] = [
  ["Produce", 0, 3, 7],
  ["Fetch", 1, 4, 11],
  ["ListOffsets", 2, 1, 3],
  ["Metadata", 3, 1, 6],
  ["OffsetCommit", 8, 2, 5],
  ["OffsetFetch", 9, 1, 4],
  ["FindCoordinator", 10, 0, 2],
  ["JoinGroup", 11, 0, 5],
  ["Heartbeat", 12, 0, 3],
  ["LeaveGroup", 13, 0, 3],
  ["SyncGroup", 14, 0, 3],
  ["CreateTopics", 19, 0, 3],
  ["InitProducerId", 22, 0, 1],
];

/** Why brokers that speak these versions are of no use, as a sentence that says what to do; undefined: they are. */
export function versionsProblem(spoken: SpokenVersions, { shown }: Pick<KafkaAddress, "shown">): string | undefined {
  for (const [name, key, from, upTo] of requests) {
    const own = spoken[key];
    const elsewhere = "or name another in SLIPWAY_BUS_URL";
    if (own === undefined || own.maxVersion < from) {
      const what =
        own === undefined ? `knows no ${name}` : `speaks ${name} up to version ${own.maxVersion}, not ${from}`;
      return `Kafka at ${shown} is too old (it ${what}): upgrade it to ${oldestKafka} or newer, ${elsewhere}`;
    }
    if (own.minVersion > upTo)
      return `Kafka at ${shown} is too new (it speaks ${name} from version ${own.minVersion} on, Slipway up to ${upTo}): upgrade Slipway, ${elsewhere}`;
  }
  return undefined;
}

/** Asks once, and again until the answer is good: what an upgrade mends is to be seen, and nobody goes back to brokers that are too old. */
export function versionsCheck(kafka: () => Promise<Kafka>, address: KafkaAddress): () => Promise<string | undefined> {
  let good = false;
  return async () => {
    if (good) return undefined;
    const cluster = openFetchCluster(await kafka());
    try {
      await cluster.connect();
      const problem = versionsProblem(spokenBy(cluster), address);
      good = problem === undefined;
      return problem;
    } finally {
      await cluster.disconnect().catch(() => undefined);
    }
  };
}

function spokenBy({ brokerPool }: FetchCluster): SpokenVersions {
  if (brokerPool.versions === null) throw new Error("this version of kafkajs keeps no versions of a cluster's brokers");
  return brokerPool.versions;
}
