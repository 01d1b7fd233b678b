import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { migrate, silentLogger, startEmbeddedPostgres } from "../../packages/sql/src/index.ts";

const migrations = resolve(import.meta.dirname, "../../migrations/durable");

/** The embedded Postgres as `npm start` runs it, fsync on, with durable's tables, and those of further folders, in one schema. */
export type BenchDatabase = { readonly schema: string; readonly url: string; close(): Promise<void> };

export async function openDatabase(schema: string, further: readonly string[] = []): Promise<BenchDatabase> {
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-bench-"));
  const server = await startEmbeddedPostgres({ dataDir, durability: "full", log: silentLogger });
  const url = server.roleUrl(`slipway_${schema}`);
  await migrate({
    adminUrl: server.adminUrl(),
    roleUrl: url,
    schema,
    directories: [migrations, ...further],
    log: silentLogger,
  });
  return {
    schema,
    url,
    async close() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
