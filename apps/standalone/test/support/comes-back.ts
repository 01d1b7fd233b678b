import { join } from "node:path";
import { until } from "@slipway/testkit";
import { identify } from "../../src/processes/identity.ts";
import { pidFiles } from "../../src/processes/pid-files.ts";
import { pidOf, postgresPid } from "./processes.ts";

const backWithinMs = 90_000;

/** kill -9 of one of the platform's processes; resolves once another one is ready in its place. */
export async function killAndAwait(dataDir: string, name: string): Promise<void> {
  const before = pidOf(dataDir, name);
  process.kill(before, "SIGKILL");
  const pids = pidFiles(join(dataDir, "pids"));
  await until(
    () => {
      const now = pids.read(name);
      return now !== undefined && now.pid !== before && now.ready !== null;
    },
    { timeoutMs: backWithinMs, what: `another ${name}` },
  );
}

/** kill -9 of the postmaster; resolves once another one has the folder. */
export async function killPostgres(dataDir: string): Promise<void> {
  const before = postgresPid(dataDir);
  process.kill(before, "SIGKILL");
  await until(
    () => {
      const now = postgresPid(dataDir);
      return now !== before && identify(now) !== undefined;
    },
    { timeoutMs: backWithinMs, what: "another Postgres" },
  );
}
