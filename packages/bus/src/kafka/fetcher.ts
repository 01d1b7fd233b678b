import type { Kafka } from "kafkajs";

export type FetchedRecord = {
  readonly offset: string;
  /** ms since 1970. */
  readonly timestamp: string;
  readonly value: Buffer | null;
};

type FetchRequest = {
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
};
type FetchAnswer = {
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly messages: readonly FetchedRecord[] }[];
  }[];
};

/** The part of the library's cluster that is used here. */
export type FetchCluster = {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /** Null before it is connected. */
  readonly brokerPool: {
    readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>> | null;
  };
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
  findBroker(which: { readonly nodeId: string }): Promise<ClusterBroker>;
  findControllerBroker(): Promise<ClusterBroker>;
};

type ClusterBroker = {
  fetch(request: FetchRequest): Promise<FetchAnswer>;
  findGroupCoordinator(of: {
    readonly groupId: string;
    /** 0: of a consumer group. */
    readonly coordinatorType: 0;
  }): Promise<{ readonly coordinator: { readonly nodeId: number } }>;
  heartbeat(of: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
  }): Promise<unknown>;
};

const bytesOfPartition = 1024 * 1024;

/**
 * A connection that reads from any offset without a consumer group, which the library does for itself but offers nobody: a group for each page that
 * is looked at would cost seconds, and leave its name behind on the brokers. Throws Error when the library is not the one this was written for.
 */
export function openFetchCluster(kafka: Kafka): FetchCluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === "private:Kafka:createCluster",
  );
  const create: unknown = symbol === undefined ? undefined : Reflect.get(kafka, symbol);
  if (typeof create !== "function") throw new Error("this version of kafkajs has no cluster to read with");
  return create({ allowAutoTopicCreation: false }) as FetchCluster;
}

/** What lies from these offsets on, by partition, each about 1 MB at most; at least something of one of them. */
export async function fetchFrom(
  cluster: FetchCluster,
  topic: string,
  offsets: ReadonlyMap<number, number>,
): Promise<ReadonlyMap<number, readonly FetchedRecord[]>> {
  await cluster.addMultipleTargetTopics([topic]);
  const leaders = cluster.findLeaderForPartitions(topic, [...offsets.keys()]);
  const found = new Map<number, readonly FetchedRecord[]>();
  for (const [nodeId, own] of Object.entries(leaders)) {
    const broker = await cluster.findBroker({ nodeId });
    const partitions = own.map((partition) => ({
      partition,
      fetchOffset: String(offsets.get(partition) ?? 0),
      maxBytes: bytesOfPartition,
    }));
    const { responses } = await broker.fetch({
      maxWaitTime: 100,
      minBytes: 1,
      maxBytes: bytesOfPartition * partitions.length,
      isolationLevel: 1,
      topics: [{ topic, partitions }],
    });
    for (const { partition, messages } of responses.flatMap((response) => response.partitions))
      found.set(partition, messages);
  }
  return found;
}
