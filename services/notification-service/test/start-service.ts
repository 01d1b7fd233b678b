import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, postgresBus } from "@slipway/bus";
import { type RunHostOptions, type RunningHost, type RunningService, readConfig, runHost } from "@slipway/host";
import { silentLogger } from "@slipway/sql";
import { deliveredTwice, testDatabase } from "@slipway/testkit";
import { notificationService } from "../src/index.ts";

/** A database and a folder on which the service can be started, once or again, and the bus as another service has it. */
export type Home = {
  readonly bus: Bus;
  /** With every event delivered twice. */
  start(env?: Readonly<Record<string, string>>, options?: Pick<RunHostOptions, "log">): Promise<RunningHost>;
  /** What the service that was started last says of what it works with. */
  trouble(): Promise<readonly string[]>;
  close(): Promise<void>;
};

export async function openHome(): Promise<Home> {
  const database = await testDatabase(["bus", "access", "notification", "build"]);
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-notification-"));
  const bus = postgresBus({ url: database.url("build"), log: silentLogger });
  let running: RunningService | undefined;
  const service: typeof notificationService = {
    ...notificationService,
    start: async (context) => (running = await notificationService.start(context)),
  };
  return {
    bus,
    start(env = {}, options = {}) {
      const modules = [deliveredTwice(service)];
      return runHost({
        modules,
        config: readConfig({ SLIPWAY_DATA: dataDir, SLIPWAY_PORT: "0", ...env }, modules),
        database: { adminUrl: database.adminUrl, roleUrl: (role) => database.url(role.replace("slipway_", "")) },
        log: silentLogger,
        signals: false,
        ...options,
      });
    },
    trouble: async () => (await running?.trouble?.()) ?? [],
    async close() {
      await bus.close();
      await database.close();
      await rm(dataDir, { recursive: true });
    },
  };
}
