import { createApp } from "./app.mjs";

const port = Number(process.env.PORT ?? 8080);
const host = process.env.HOST ?? "127.0.0.1";
const version = process.env.SLIPWAY_VERSION ?? "development";
const graceMs = 8_000;

const log = (entry) => console.log(JSON.stringify({ at: new Date().toISOString(), version, ...entry }));
const server = createApp({ version, log });

// Longer than a mesh keeps an idle connection (an Envoy: an hour). After Node's own five
// seconds it is closed from here, and a request that is sent at that moment is lost.
server.keepAliveTimeout = 65 * 60_000;

server.listen(port, host, () => log({ level: "info", message: `listening on ${host}:${server.address().port}` }));

/** Takes no new connection, lets the ones under way finish, and goes. */
function stop(signal) {
  log({ level: "info", message: `${signal}: stopping` });
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(1), graceMs).unref();
}

process.once("SIGTERM", stop);
process.once("SIGINT", stop);
