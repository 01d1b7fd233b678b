import { readConfig, runHost } from "@slipway/host";
import { rollbackController } from "@slipway/rollback-controller";
import { embeddedPostgresAt } from "@slipway/sql";
import { processLog } from "../processes/process-log.ts";
import { reportReady } from "../processes/report-ready.ts";
import { untilSignalled } from "./until-signalled.ts";

/** The rollback-controller in a process of its own, so that it outlives a platform that hangs or dies. It starts whether Postgres answers or not. */
export async function runRollback(_config: string): Promise<void> {
  const config = readConfig(process.env, [rollbackController]);
  const log = processLog("rollback-controller", { level: config.logLevel });
  const database = await embeddedPostgresAt(config.dataDir);
  const host = await runHost({ modules: [rollbackController], config, database, log, signals: false });
  reportReady(config.dataDir, { url: host.url });
  await untilSignalled();
  await host.stop();
  process.exit(0);
}
