// A process that takes events, writes their ids, and closes its bus when its stdin ends. It ends by itself, or never: its test waits for that.
import { silentLogger } from "@slipway/sql";
import { kafkaBus } from "../src/index.ts";

const [url = "", group = "", topic = ""] = process.argv.slice(2);
const bus = kafkaBus({ url, log: silentLogger });
await bus.subscribe({
  group,
  topics: [topic],
  handler: async ({ id }) => void process.stdout.write(`${id}\n`),
});
process.stdout.write("joined\n");
process.stdin.resume().once("end", () => void bus.close());
