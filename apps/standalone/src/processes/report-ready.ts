import { join } from "node:path";
import { identify } from "./identity.ts";
import { pidFiles } from "./pid-files.ts";

/** Called by a child once it works: what it says goes into its pid file, where the platform (this one or the next) reads it. */
export function reportReady(dataDir: string, ready: Readonly<Record<string, unknown>>): void {
  const name = process.env.SLIPWAY_PID_FILE;
  const own = identify(process.pid);
  if (name === undefined || own === undefined) return;
  const pids = pidFiles(join(dataDir, "pids"));
  const file = pids.read(name);
  pids.write({ name, ...own, build: file?.build ?? "", ready: { ...ready } });
}
