import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programEnv, type TestDatabase, testDatabase, until } from "@slipway/testkit";

const schemas = ["bus", "access", "registry"];

/** A database and a data folder that processes of the service come and go on. */
export type ProcessPlace = {
  readonly database: TestDatabase;
  readonly dataDir: string;
  /** The service in a process of its own; resolves once it listens. */
  start(env?: Readonly<Record<string, string>>): Promise<{ readonly url: string; kill(): Promise<void> }>;
  tokenOf(name: string): Promise<string>;
  close(): Promise<void>;
};

export async function processPlace(): Promise<ProcessPlace> {
  const database = await testDatabase(schemas);
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-crash-"));
  const children = new Set<ChildProcess>();
  // Roles belong to the whole test server: the process has to use the passwords that these have already.
  const secrets = join(dataDir, "secrets", "postgres");
  await mkdir(secrets, { recursive: true });
  for (const schema of schemas) {
    await writeFile(join(secrets, `slipway_${schema}`), decodeURIComponent(new URL(database.url(schema)).password));
  }
  return {
    ...{ database, dataDir },
    async start(env = {}) {
      const main = join(import.meta.dirname, "../src/main.ts");
      const child = spawn(process.execPath, ["--conditions=@slipway/source", main], {
        env: {
          ...programEnv(),
          SLIPWAY_DATA: dataDir,
          SLIPWAY_DATABASE_URL: database.adminUrl,
          SLIPWAY_PORT: "0",
          SLIPWAY_EXTERNAL_LOOPBACK: "true",
          ...env,
        },
        stdio: ["ignore", "pipe", "pipe"],
      });
      children.add(child);
      let said = "";
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
      const url = await until(() => /"url":"([^"]+)".*host listens/.exec(said)?.[1], {
        what: "the service",
        timeoutMs: 120_000,
      });
      return {
        url,
        async kill() {
          child.kill("SIGKILL");
          await once(child, "exit");
        },
      };
    },
    tokenOf: async (name) => (await readFile(join(dataDir, "tokens", name), "utf8")).trim(),
    async close() {
      for (const child of children) child.kill("SIGKILL");
      await database.close();
      await rm(dataDir, { recursive: true });
    },
  };
}
