import { setTimeout as pause } from "node:timers/promises";
import type { Subscription } from "@slipway/bus";
import { within } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import type { FastifyInstance } from "fastify";
import type { EventStreams } from "./event-stream.ts";
import type { StartedModule } from "./start-module.ts";

export type HostParts = {
  readonly app: FastifyInstance;
  readonly modules: readonly StartedModule[];
  readonly subscriptions: readonly Subscription[];
  readonly streams: EventStreams;
  readonly stopping: AbortController;
  readonly log: Logger;
};

/**
 * The way down, in this order: refuse new work (readyz says so), take no more events, end streams, drain services in reverse,
 * close the listener once its requests are answered, close services in reverse, let go of connections. A stage that fails or
 * takes too long is logged and passed over: what it left undone is rows, and the next start goes on with them. `lingerMs`: the listener stays for so long at least, so that
 * who asks all the time over one connection is told to end it, and no request is on its way when it is closed.
 */
export async function stopHost(parts: HostParts, withinMs: number, lingerMs = 0): Promise<void> {
  const { app, streams, log } = parts;
  const reversed = [...parts.modules].reverse();
  const began = performance.now();
  const deadline = began + withinMs;
  const stage = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const leftMs = Math.max(50, deadline - performance.now());
    await withDeadline(work(), leftMs).catch((error: unknown) => {
      log.error({ err: error, stage: name }, "a stage of stopping failed");
    });
  };

  parts.stopping.abort(new Error("the host stops"));
  await stage("subscriptions", () => Promise.all(parts.subscriptions.map((subscription) => subscription.stop())));
  streams.endAll();
  for (const { name, running } of reversed) {
    await stage(`drain ${name}`, async () => await running.drain?.());
  }
  await pause(Math.max(0, began + lingerMs - performance.now()));
  await stage("listener", () => closeListener(app, deadline));
  for (const { name, running } of reversed) await stage(`close ${name}`, async () => await running.close());
  for (const { name, bus, client, db, closeLocks } of reversed) {
    await stage(`connections of ${name}`, () => Promise.all([bus.close(), client.close(), closeLocks(), db.destroy()]));
  }
  log.info({ services: reversed.map(({ name }) => name) }, "host stopped");
}

/** Answers under way get half of what is left; then sockets are cut. */
async function closeListener(app: FastifyInstance, deadline: number): Promise<void> {
  const leftMs = Math.max(100, deadline - performance.now());
  const cut = setTimeout(() => app.server.closeAllConnections(), leftMs / 2);
  // Closing looks for idle connections once; those that become idle later would hold it up until their keep-alive ends.
  const idle = setInterval(() => app.server.closeIdleConnections(), 20);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
    clearInterval(idle);
  }
}

async function withDeadline(work: Promise<unknown>, ms: number): Promise<void> {
  await within(ms, work, () => {
    throw new Error(`not done within ${Math.round(ms)} ms`);
  });
}
