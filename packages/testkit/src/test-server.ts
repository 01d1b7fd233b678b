import { join } from "node:path";
import { embeddedPostgresAt, silentLogger, startEmbeddedPostgres } from "@slipway/sql";
import { atPort, type PostgresUrls } from "./real/postgres-urls.ts";

/** Where global-setup tells the workers the data folder of the run's server. */
export const serverVariable = "SLIPWAY_TEST_DATA";
/** And the port, where the server is in a container. */
export const portVariable = "SLIPWAY_TEST_POSTGRES_PORT";

let server: Promise<PostgresUrls> | undefined;

/** The run's server, which global-setup has started. */
export async function testServer(): Promise<PostgresUrls> {
  const port = process.env[portVariable];
  server ??=
    port === undefined
      ? startEmbeddedPostgres({ dataDir: runFolder(), durability: "test", log: silentLogger })
      : containerServer(Number(port));
  return await server;
}

/** From now on this file's databases are made there. */
export function useServer(other: PostgresUrls): void {
  server = Promise.resolve(other);
}

/** The passwords lie in the data folder all the same. */
async function containerServer(port: number): Promise<PostgresUrls> {
  const { adminUrl, roleUrl } = await embeddedPostgresAt(runFolder());
  return {
    adminUrl: (database) => atPort(adminUrl(database), port),
    roleUrl: (role, database) => atPort(roleUrl(role, database), port),
  };
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
