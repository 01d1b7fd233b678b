import { readConfig, runHost } from "@slipway/host";
import { rollbackController } from "@slipway/rollback-controller";
import { embeddedPostgresAt } from "@slipway/sql";
import { pino } from "pino";
import { reportReady } from "../processes/report-ready.ts";
import { untilSignalled } from "./until-signalled.ts";

/** The rollback-controller in a process of its own, so that it outlives a platform that hangs or dies. It starts whether Postgres answers or not. */
export async function runRollback(_config: string): Promise<void> {
  const config = readConfig(process.env, [rollbackController]);
  const log = pino({ level: config.logLevel, base: { process: "rollback-controller" } });
  const database = await embeddedPostgresAt(config.dataDir);
  const host = await runHost({ modules: [rollbackController], config, database, log, signals: false });
  reportReady(config.dataDir, { url: host.url });
  await untilSignalled();
  await host.stop();
  process.exit(0);
}
