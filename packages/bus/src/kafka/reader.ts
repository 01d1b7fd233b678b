import { CloudEvent } from "@slipway/contracts";
import type { Kafka } from "kafkajs";
import type { ReadPage, ReadPosition } from "../port.ts";
import { formatPosition, parsePosition, positionAfter } from "../position.ts";
import { settled } from "../run-handler.ts";
import type { KafkaAddress } from "./address.ts";
import { answered, type Questions } from "./admin.ts";
import { type FetchCluster, type FetchedRecord, fetchFrom, openFetchCluster } from "./fetcher.ts";
import type { Topics } from "./topics.ts";
import { busUnavailable } from "./trouble.ts";

const fetchDeadlineMs = 15_000;

type Found = { readonly partition: number; readonly offset: number; readonly at: number; readonly text: string };

export type Reader = {
  read(topic: string, from: ReadPosition, limit: number): Promise<ReadPage>;
  close(): Promise<void>;
};

export function openReader(
  kafka: () => Promise<Kafka>,
  parts: { readonly questions: Questions; readonly topics: Topics; readonly address: KafkaAddress },
): Reader {
  const { questions, topics, address } = parts;
  let current: Promise<FetchCluster> | undefined;

  async function open(): Promise<FetchCluster> {
    const cluster = openFetchCluster(await kafka());
    await cluster.connect();
    return cluster;
  }

  async function drop(): Promise<void> {
    const dropped = current;
    current = undefined;
    await (await dropped?.catch(() => undefined))?.disconnect().catch(() => undefined);
  }

  /** Leaders may have moved since the last page: a second attempt asks anew where they are. */
  async function find(topic: string, offsets: ReadonlyMap<number, number>): Promise<readonly Found[]> {
    for (let attempt = 1; ; attempt += 1) {
      current ??= open();
      try {
        return foundOf(
          await answered(
            fetchDeadlineMs,
            current.then((cluster) => fetchFrom(cluster, topic, offsets)),
          ),
          offsets,
        );
      } catch (error) {
        void drop();
        if (attempt === 2) throw busUnavailable(error, address, { topic });
      }
    }
  }

  async function read(topic: string, from: ReadPosition, limit: number): Promise<ReadPage> {
    const count = await topics.partitions(topic);
    if (count === undefined) return { events: [], next: 0 };
    const ends = await questions.ask((admin) => admin.fetchTopicOffsets(topic), { topic });
    const offsets = parsePosition(from, count).map((offset, partition) =>
      // What retention has taken away is passed over.
      Math.max(offset, Number(ends.find((one) => one.partition === partition)?.low ?? 0)),
    );
    const ahead = ends
      .filter(({ partition, high }) => Number(high) > (offsets[partition] ?? 0))
      .map(({ partition }) => [partition, offsets[partition] ?? 0] as const);
    const found = ahead.length === 0 ? [] : await find(topic, new Map(ahead));
    const page = merged(found).slice(0, limit);
    const events = page.flatMap(({ text }) => eventOf(text));
    const next = formatPosition(positionAfter(offsets, page));
    // An empty page means that there is nothing more, so one with nothing of ours is passed over.
    return events.length === 0 && page.length > 0 ? await read(topic, next, limit) : { events, next };
  }

  return {
    read,
    close: async () => await settled([drop()], 5_000),
  };
}

function foundOf(
  records: ReadonlyMap<number, readonly FetchedRecord[]>,
  offsets: ReadonlyMap<number, number>,
): readonly Found[] {
  return [...records].flatMap(([partition, own]) =>
    own
      .map(({ offset, timestamp, value }) => ({
        partition,
        offset: Number(offset),
        at: Number(timestamp),
        text: value?.toString() ?? "",
      }))
      // The first batch of a fetch may begin before what was asked for.
      .filter(({ offset }) => offset >= (offsets.get(partition) ?? 0)),
  );
}

/** In order within each partition, otherwise by time. */
function merged(found: readonly Found[]): readonly Found[] {
  const latest = new Map<number, number>();
  return found
    .map((one) => {
      // A clock that was set back does not bring a later event before an earlier one.
      const at = Math.max(one.at, latest.get(one.partition) ?? 0);
      latest.set(one.partition, at);
      return { ...one, at };
    })
    .sort((a, b) => a.at - b.at || a.partition - b.partition || a.offset - b.offset);
}

/** Somebody else may write to the topic as well: what is no event of ours is not shown. */
function eventOf(text: string): readonly CloudEvent[] {
  try {
    return [CloudEvent.parse(JSON.parse(text))];
  } catch {
    return [];
  }
}
