import { CloudEvent } from "@slipway/contracts";
import { silentLogger } from "@slipway/sql";
import { expect, test } from "vitest";
import { leavingToNewer } from "./leave-to-newer.ts";

const publishedAt = "2026-03-01T08:00:00.000Z";
const context = { signal: new AbortController().signal };

function event(type: string): CloudEvent {
  const about = { specversion: "1.0", id: type, source: "test", subject: "D-7", time: publishedAt, data: {} };
  return CloudEvent.parse({ ...about, type });
}

function consumer(afterMs: number) {
  const taken: string[] = [];
  const subscription = leavingToNewer(
    {
      ...{ group: "g", topics: ["slipway.watch.v1"] },
      handler: async ({ type }) => void taken.push(type),
      batch: async (events) => void taken.push(...events.map(({ type }) => `${type} of a batch`)),
    },
    silentLogger,
    () => Date.parse(publishedAt) + afterMs,
  );
  return { taken, subscription };
}

test("an event that only a newer version knows is left to it, alone and in a batch", async () => {
  const { taken, subscription } = consumer(60_000);
  const events = [event("watch.judged"), event("watch.foreseen")];

  await expect(subscription.handler(events[1] as CloudEvent, context)).rejects.toThrow(/does not know watch.foreseen/);
  await expect(subscription.batch?.(events, context)).rejects.toThrow();
  await subscription.handler(events[0] as CloudEvent, context);

  expect(taken).toEqual(["watch.judged"]);
});

test("nobody waits for ever for a version that does not come", async () => {
  const { taken, subscription } = consumer(300_000);

  await subscription.handler(event("watch.foreseen"), context);

  expect(taken).toEqual(["watch.foreseen"]);
});

test("what is known, and what is of no topic of ours, is taken as it comes", async () => {
  const { taken, subscription } = consumer(0);

  await subscription.batch?.([event("watch.judged"), event("note.added")], context);

  expect(taken).toEqual(["watch.judged of a batch", "note.added of a batch"]);
});
