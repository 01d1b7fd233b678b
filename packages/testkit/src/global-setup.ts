import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, startEmbeddedPostgres } from "@slipway/sql";
import { inContainers } from "./real/part.ts";
import { portVariable, serverVariable } from "./test-server.ts";

/** vitest's global setup: one Postgres a run. It ends with the run even where the run is killed. */
export async function setup(): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-test-"));
  const server = inContainers()
    ? await inContainer(dataDir)
    : await startEmbeddedPostgres({ dataDir, durability: "test", log: silentLogger });
  process.env[serverVariable] = dataDir;
  return async () => {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}

async function inContainer(dataDir: string) {
  // Loaded here: other runs have no containers.
  const { startContainerPostgres } = await import("./real/postgres-container.ts");
  const server = await startContainerPostgres(dataDir);
  process.env[portVariable] = String(server.port);
  return server;
}
