// A consumer as a service is one, in a process of its own: notes event and effect in one transaction. Says each id that it begins.
import { setTimeout as after } from "node:timers/promises";
import { openDb, silentLogger } from "@slipway/sql";
import { sql } from "kysely";
import { inboxOnce, kafkaBus } from "../src/index.ts";

const [kafkaUrl = "", group = "", topic = "", databaseUrl = ""] = process.argv.slice(2);
const db = openDb<Record<never, never>>({ url: databaseUrl, schema: "notification", max: 8 });
const bus = kafkaBus({ url: kafkaUrl, log: silentLogger });

await bus.subscribe({
  group,
  topics: [topic],
  handler: async ({ id }) => {
    process.stdout.write(`${id}\n`);
    await db.transaction().execute(async (tx) => {
      if (!(await inboxOnce(tx, group, id))) return;
      await sql`insert into effect (event, process) values (${id}, ${process.pid})`.execute(tx);
      // In some of the kills this transaction is the work that is cut off.
      await after(2);
    });
  },
});
