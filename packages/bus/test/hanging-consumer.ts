// A consumer process that takes the first event, says so and never ends. Its test kills it.
import { silentLogger } from "@slipway/sql";
import { postgresBus } from "../src/index.ts";

const [url = "", group = "", topic = ""] = process.argv.slice(2);
const bus = postgresBus({ url, log: silentLogger });
await bus.subscribe({
  group,
  topics: [topic],
  handler: async (event) => {
    process.stdout.write(`${event.id}\n`);
    await new Promise(() => {});
  },
});
