// A consumer process as a service is one: each event goes through the inbox in a transaction of its own (`plain`: it is only noted). Tells its parent, a line per half second,
// how long each event took from its row in the outbox to the commit here, and which came a second time and were let pass.
import { inboxOnce, kafkaBus } from "../../packages/bus/src/index.ts";
import { openDb, silentLogger } from "../../packages/sql/src/index.ts";

const [kafkaUrl = "", topic = "", databaseUrl = "", schema = "", mode = ""] = process.argv.slice(2);
const db = openDb<Record<string, never>>({ url: databaseUrl, schema, max: 8 });
const bus = kafkaBus({ url: kafkaUrl, log: silentLogger });
let seen: [string, number][] = [];

await bus.subscribe({
  group: "bench",
  topics: [topic],
  handler: async ({ id, data }) => {
    const first = mode === "plain" || (await db.transaction().execute((tx) => inboxOnce(tx, "bench", id)));
    const { at } = data as { at: number };
    if (first) seen.push([id, performance.timeOrigin + performance.now() - at]);
  },
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
