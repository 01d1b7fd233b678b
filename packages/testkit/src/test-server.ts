import { type EmbeddedPostgres, silentLogger, startEmbeddedPostgres } from "@slipway/sql";

/** Where global-setup tells the workers the data folder of the run's server. */
export const serverVariable = "SLIPWAY_TEST_DATA";

let server: Promise<EmbeddedPostgres> | undefined;

/** The run's server, which global-setup has started. */
export async function testServer(): Promise<EmbeddedPostgres> {
  const dataDir = process.env[serverVariable];
  if (dataDir === undefined) throw new Error("no test server: only the vitest project `integration` starts one");
  server ??= startEmbeddedPostgres({ dataDir, durability: "test", log: silentLogger });
  return await server;
}
