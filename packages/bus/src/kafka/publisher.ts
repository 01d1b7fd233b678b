import type { CloudEvent } from "@slipway/contracts";
import type { Message } from "kafkajs";
import { checkTopic, textOf } from "../acceptable.ts";
import type { KafkaAddress } from "./address.ts";
import { kafkaLibrary } from "./client.ts";
import type { Producers } from "./producers.ts";
import type { Topics } from "./topics.ts";
import { BusUnavailable, busUnavailable } from "./trouble.ts";

const mostMessages = 500;
/** Kafka takes 1 MB at once by default, our envelope and its own included. */
const mostBytes = 512 * 1024;
/** How long events may wait for their turn behind sends that stall. */
const turnDeadlineMs = 10_000;

type Waiting = {
  readonly messages: readonly Message[];
  readonly bytes: number;
  readonly notAfter: number;
  resolve(): void;
  reject(error: unknown): void;
};

/** What waits to be sent to one partition. */
type Lane = { readonly topic: string; readonly partition: number; waiting: Waiting[]; sending: boolean };

export type Publisher = { publish(topic: string, events: readonly CloudEvent[]): Promise<void> };

/**
 * Publishes under the subject as key, partition by partition: one send is under way for each, and what is published meanwhile goes together with
 * the next, so that the order of a subject's events is the order in which they were published.
 */
export function openPublisher(producers: Producers, topics: Topics, address: KafkaAddress): Publisher {
  const lanes = new Map<string, Lane>();

  async function drain(lane: Lane): Promise<void> {
    lane.sending = true;
    while (lane.waiting.length > 0) {
      const batch = nextBatch(lane);
      if (batch.length === 0) continue;
      try {
        const messages = batch.flatMap((one) => one.messages);
        await producers.send(lane.topic, lane.partition, messages);
        for (const one of batch) one.resolve();
      } catch (error) {
        topics.forget(lane.topic);
        for (const one of batch) one.reject(busUnavailable(error, address, { topic: lane.topic }));
      }
    }
    lane.sending = false;
  }

  function nextBatch(lane: Lane): readonly Waiting[] {
    const now = performance.now();
    const late = lane.waiting.filter((one) => one.notAfter < now);
    lane.waiting = lane.waiting.filter((one) => one.notAfter >= now);
    for (const one of late)
      one.reject(
        new BusUnavailable(`Kafka at ${address.shown} takes no events fast enough: they waited ${turnDeadlineMs} ms`),
      );
    let [messages, bytes, count] = [0, 0, 0];
    for (const one of lane.waiting) {
      messages += one.messages.length;
      bytes += one.bytes;
      if (count > 0 && (messages > mostMessages || bytes > mostBytes)) break;
      count += 1;
    }
    return lane.waiting.splice(0, count);
  }

  function enqueue(topic: string, partition: number, messages: readonly Message[]): Promise<void> {
    const key = `${topic}/${partition}`;
    const lane = lanes.get(key) ?? { topic, partition, waiting: [], sending: false };
    lanes.set(key, lane);
    const parts = piecesOf(messages).map(
      (piece) =>
        new Promise<void>((resolve, reject) => {
          lane.waiting.push({ ...piece, notAfter: performance.now() + turnDeadlineMs, resolve, reject });
        }),
    );
    if (!lane.sending) void drain(lane);
    return Promise.all(parts).then(() => undefined);
  }

  return {
    async publish(topic, events) {
      checkTopic(topic);
      if (events.length === 0) return;
      const messages = events.map((event) => messageOf(topic, event));
      const { Partitioners } = await kafkaLibrary();
      const count = await topics.ensure(topic);
      const partitionOf = Partitioners.DefaultPartitioner();
      const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 0,
        replicas: [],
        isr: [],
      }));
      const byPartition = Map.groupBy(messages, (message) => partitionOf({ topic, partitionMetadata, message }));
      await Promise.all([...byPartition].map(([partition, own]) => enqueue(topic, partition, own)));
    },
  };
}

function messageOf(topic: string, event: CloudEvent): Message {
  const { subject, text } = textOf(topic, event);
  return {
    key: subject,
    value: text,
    headers: { "content-type": "application/cloudevents+json; charset=UTF-8" },
  };
}

/** Each of a size that Kafka takes at once; a single event may be larger, and is refused by itself. */
function piecesOf(messages: readonly Message[]): readonly { messages: Message[]; bytes: number }[] {
  const pieces: { messages: Message[]; bytes: number }[] = [];
  for (const message of messages) {
    const bytes = Buffer.byteLength(message.value ?? "") + 200;
    const last = pieces.at(-1);
    if (last !== undefined && last.bytes + bytes <= mostBytes && last.messages.length < mostMessages) {
      last.messages.push(message);
      last.bytes += bytes;
    } else {
      pieces.push({ messages: [message], bytes });
    }
  }
  return pieces;
}
