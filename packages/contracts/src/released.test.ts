import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CloudEvent, parseEvent } from "./envelope.ts";
import { topics } from "./events/topics.ts";

type Kept = { readonly topic: string; readonly body: unknown };

const folder = new URL("../test/released", import.meta.url).pathname;
const events = readdirSync(folder).flatMap((version) => {
  const kept = JSON.parse(readFileSync(`${folder}/${version}/events.json`, "utf8")) as Kept[];
  return kept.map(({ topic, body }) => ({ version, topic, event: CloudEvent.parse(body) }));
});

test.each(events.map(({ version, topic, event }) => [version, event.type, topic, event] as const))(
  "an event that %s published is read by today's consumers: %s",
  (_version, _type, name, event) => {
    const of = topics.find((topic) => topic.name === name);
    if (of === undefined) throw new Error(`no topic is named ${name}`);

    const read = parseEvent(of, event);

    // Nothing that it said is lost.
    expect(read?.data).toMatchObject(event.data as object);
  },
);

/** Described, and published by no version so far. */
const unpublished = ["artifact.collected", "region.reached", "region.lost"];

test("an event of every type that is published is kept", () => {
  const types = topics.flatMap(({ prefix, shapes }) => Object.keys(shapes).map((name) => `${prefix}.${name}`));
  const kept = events.map(({ event }) => event.type);
  expect(types.filter((type) => !kept.includes(type))).toEqual(unpublished);
});
