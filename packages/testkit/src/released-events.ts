import { readdirSync, readFileSync } from "node:fs";
import type { SubscribeOptions } from "@slipway/bus";
import { CloudEvent } from "@slipway/contracts";

export type ReleasedEvent = { readonly version: string; readonly topic: string; readonly event: CloudEvent };

const folder = new URL("../../contracts/test/released", import.meta.url).pathname;

/** One event of each type that the versions released so far published on these topics, in the order of their times. */
export function releasedEvents(topics: readonly string[]): readonly ReleasedEvent[] {
  const all = readdirSync(folder).flatMap((version) => {
    const kept = JSON.parse(readFileSync(`${folder}/${version}/events.json`, "utf8")) as {
      topic: string;
      body: unknown;
    }[];
    return kept.map(({ topic, body }) => ({ version, topic, event: CloudEvent.parse(body) }));
  });
  return all
    .filter(({ topic }) => topics.includes(topic))
    .toSorted((one, other) => one.event.time.localeCompare(other.event.time));
}

/** As the bus hands it on, and once more, as after a crash. */
export async function handTwice({ handler }: Pick<SubscribeOptions, "handler">, event: CloudEvent): Promise<void> {
  for (let n = 0; n < 2; n += 1) await handler(event, { signal: AbortSignal.timeout(90_000) });
}
