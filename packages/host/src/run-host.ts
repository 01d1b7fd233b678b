import type { HostConfig } from "./config.ts";
import type { ServiceModule } from "./module.ts";
import type { RegionEntry } from "./regions.ts";

export type RunHostOptions = {
  readonly modules: readonly ServiceModule[];
  /** Default: read from the environment of the process. */
  readonly config?: HostConfig;
  /** Regions that the caller started itself (`REGIONS=local:`). */
  readonly regions?: readonly RegionEntry[];
};

export type RunningHost = {
  /** Base URL of the listener, e.g. `http://127.0.0.1:7400`. */
  readonly url: string;
  readonly port: number;
  /** Refuses new work, drains, closes. The same promise for every caller. */
  stop(): Promise<void>;
};

/** Runs modules in this process until a signal or `stop()`: migrates, starts in order, stops in reverse. */
export async function runHost(_options: RunHostOptions): Promise<RunningHost> {
  throw new Error("not built yet");
}
