// A consumer process as a service is one: what is taken together goes through the inbox in one transaction (`plain`: each event is only noted). Tells its parent,
// a line per half second, how long each event took from its row in the outbox to the commit here, and when that was.
import { inboxOnceEach, kafkaBus } from "../../packages/bus/src/index.ts";
import type { CloudEvent } from "../../packages/contracts/src/index.ts";
import { openDb, silentLogger } from "../../packages/sql/src/index.ts";

const [kafkaUrl = "", topic = "", databaseUrl = "", schema = "", mode = ""] = process.argv.slice(2);
const db = openDb<Record<string, never>>({ url: databaseUrl, schema, max: 8 });
const bus = kafkaBus({ url: kafkaUrl, log: silentLogger });
let seen: [string, number, number][] = [];

async function takeAll(events: readonly CloudEvent[]): Promise<void> {
  const ids = events.map(({ id }) => id);
  const first =
    mode === "plain" ? new Set(ids) : await db.transaction().execute((tx) => inboxOnceEach(tx, "bench", ids));
  const now = performance.timeOrigin + performance.now();
  for (const { id, data } of events) if (first.has(id)) seen.push([id, now - (data as { at: number }).at, now]);
}

await bus.subscribe({
  group: "bench",
  topics: [topic],
  handler: (event) => takeAll([event]),
  batch: mode === "plain" ? undefined : takeAll,
});
process.stdout.write("[]\n");
setInterval(() => {
  if (seen.length > 0) process.stdout.write(`${JSON.stringify(seen)}\n`);
  seen = [];
}, 500);
process.once("SIGTERM", async () => {
  await bus.close();
  await db.destroy();
  process.exit(0);
});
