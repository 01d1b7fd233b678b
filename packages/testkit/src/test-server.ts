import { join } from "node:path";
import { type EmbeddedPostgres, silentLogger, startEmbeddedPostgres } from "@slipway/sql";

/** Where global-setup tells the workers the data folder of the run's server. */
export const serverVariable = "SLIPWAY_TEST_DATA";

let server: Promise<EmbeddedPostgres> | undefined;

/** The run's server, which global-setup has started. */
export async function testServer(): Promise<EmbeddedPostgres> {
  server ??= startEmbeddedPostgres({ dataDir: runFolder(), durability: "test", log: silentLogger });
  return await server;
}

/** A folder of the whole run, for what costs much to make and is the same for all files. It goes with the run. */
export function sharedFolder(name: string): string {
  return join(runFolder(), name);
}

function runFolder(): string {
  const dataDir = process.env[serverVariable];
  if (dataDir === undefined) throw new Error("no test server: only the vitest project `integration` starts one");
  return dataDir;
}
