import type { Client } from "@slipway/client";
import type { CloudEvent } from "@slipway/contracts";
import type { Command } from "commander";
import { connect } from "../connection.ts";
import { Unusable } from "../exit-codes.ts";
import { note } from "../note.ts";
import { type Common, say, wantsJson } from "../output.ts";
import { recordOf, shortened } from "../said.ts";
import { typed } from "../typed.ts";

type Own = { readonly from: string; readonly topic?: string; readonly about?: string };

/** `slipway events`: what the services have told each other, as the bus keeps it. */
export function eventsCommand(root: Command): void {
  root
    .command("events")
    .description("the events on the bus, from the first one on")
    .option("--from <position>", "0 = the beginning; another position is one of a single topic", "0")
    .option("--topic <name>", "only this one, e.g. deployment or slipway.deployment.v1")
    .option("--about <subject>", "only what is about this, e.g. D-4, B-12 or a digest")
    .action(async (own: Own) => {
      const topics = await topicsOf(own);
      const client = await connect(root.opts<Common>());
      const found = await Promise.all(topics.map((topic) => readAll(client, topic, own.from)));
      const events = found.flatMap((topic) => topic.events);
      // One subject's events stay in their order: sorting is stable.
      const shown = events
        .filter(({ subject }) => own.about === undefined || subject === own.about)
        .sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
      for (const event of shown) say(`${wantsJson(root) ? JSON.stringify(event) : lineOf(event)}\n`);
      if (shown.length === 0 && own.about !== undefined) note(`Nothing on the bus is about ${own.about}.`);
      const [only] = found;
      if (found.length === 1 && only !== undefined && !wantsJson(root))
        say(`more, later: --topic ${topics[0]} --from ${only.next}\n`);
    });
}

async function topicsOf({ topic, from }: Own): Promise<readonly string[]> {
  const { EventPosition, nearest, topicNames } = await import("@slipway/contracts");
  typed(EventPosition, from, "--from");
  if (topic === undefined) {
    if (from !== "0") throw new Unusable(`--from ${from} is a position of one topic: say which with --topic.`);
    return topicNames;
  }
  const name = topicNames.find((known) => known === topic || known === `slipway.${topic}.v1`);
  if (name === undefined) {
    const known = topicNames.map((full) => full.replace(/^slipway\.(.*)\.v1$/, "$1"));
    const meant = nearest(topic, [...known, ...topicNames]);
    throw new Unusable(`There is no topic ${topic}${meant || "."} There are ${known.join(", ")}.`);
  }
  return [name];
}

async function readAll(
  client: Client,
  topic: string,
  from: string,
): Promise<{ readonly events: readonly CloudEvent[]; readonly next: string }> {
  const { listEvents } = await import("@slipway/contracts");
  const events: CloudEvent[] = [];
  for (let at = from; ; ) {
    const page = await client.call(listEvents, { query: { topic, from: at, page_size: 500 } });
    events.push(...page.events);
    if (page.events.length === 0) return { events, next: at };
    at = page.next;
  }
}

const saidFields = ["step", "outcome", "to", "region", "weight_percent", "verdict", "reason", "sentence"] as const;

/** Time, kind, subject, and what of its data tells most. */
function lineOf({ time, type, subject, data }: CloudEvent): string {
  const own = { ...recordOf(recordOf(data).judgement), ...recordOf(data) };
  const said = saidFields
    .filter((field) => ["string", "number"].includes(typeof own[field]))
    .map((field) => `${field}=${String(own[field])}`);
  return [time, type.padEnd(28), shortened(subject).padEnd(19), said.join(" ").slice(0, 160)].join("  ").trimEnd();
}
