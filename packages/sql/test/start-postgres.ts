import { silentLogger, startEmbeddedPostgres } from "@slipway/sql";

/** A program that starts the server of its first argument, says its pid and waits to be killed. */
const server = await startEmbeddedPostgres({
  dataDir: process.argv[2] ?? "",
  durability: process.argv[3] === "test" ? "test" : "full",
  log: silentLogger,
});
process.stdout.write(`${server.pid}\n`);
setInterval(() => {}, 60_000);
