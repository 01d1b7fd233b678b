import { setTimeout } from "node:timers/promises";
import type { Logger } from "@slipway/sql";
import { baseUrl } from "./addresses.ts";
import type { HostConfig } from "./config.ts";
import { serveHealth } from "./health.ts";
import { listenOn } from "./listen-on.ts";
import { createMeters } from "./meters.ts";
import { createServer } from "./server.ts";

const everyMs = 1_000;

/**
 * Until nothing keeps the services from starting: meanwhile `/livez` says that the process turns and `/readyz` what is wrong, on the port on which they
 * will listen. False: it was told to stop before.
 */
export async function waitToStart(
  problem: () => Promise<string | undefined>,
  config: Pick<HostConfig, "host" | "port">,
  services: readonly string[],
  log: Logger,
): Promise<boolean> {
  let reason = await problem();
  if (reason === undefined) return true;
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  const signals = ["SIGTERM", "SIGINT"] as const;
  for (const signal of signals) process.once(signal, stop);
  const meters = createMeters(() => 0);
  const { app } = createServer(log, meters);
  const health = { stopping: stopping.signal, started: false };
  serveHealth(
    app,
    { ...health, services: () => services.map((name) => ({ name, ready: async () => reason })) },
    meters,
  );
  try {
    const port = await listenOn(app, config.host, config.port);
    log.warn({ url: baseUrl(config.host, port), services, reason }, "cannot start yet");
    while (reason !== undefined && !stopping.signal.aborted) {
      // Cut short where it is told to stop.
      await setTimeout(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      const before: string = reason;
      reason = await problem();
      if (reason !== undefined && reason !== before) log.warn({ services, reason }, "cannot start yet");
    }
    return reason === undefined && !stopping.signal.aborted;
  } finally {
    for (const signal of signals) process.off(signal, stop);
    await app.close();
  }
}
