import type { EnvironmentEntry } from "./module.ts";
import type { RegionEntry } from "./regions.ts";

/** What the host itself reads from SLIPWAY_ variables. `env` holds all of them for the modules' own schemas. */
export type HostConfig = {
  readonly dataDir: string;
  readonly port: number;
  readonly host: string;
  readonly publicUrl: string | undefined;
  readonly databaseUrl: string;
  readonly busUrl: string;
  readonly lockUrl: string;
  readonly objectsUrl: string;
  readonly migrationsDir: string;
  readonly regions: { readonly kind: "local" } | { readonly kind: "file"; readonly entries: readonly RegionEntry[] };
  readonly environments: readonly EnvironmentEntry[];
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly stopWithinMs: number;
  readonly env: Readonly<Record<string, string>>;
};
