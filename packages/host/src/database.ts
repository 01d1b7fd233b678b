import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Db, type Logger, migrate, openDb, rolePassword } from "@slipway/sql";
import type { HostConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import type { ServiceModule } from "./module.ts";
import { adapterOf } from "./schemes.ts";
import type { AccessTables } from "./token-rows.ts";

/** Where the platform's database is: for migrating, and under which URL each role uses it. An EmbeddedPostgres is one. */
export type HostDatabase = { readonly adminUrl: string | (() => string); roleUrl(role: string): string };

export function adminUrlOf({ adminUrl }: HostDatabase): string {
  return typeof adminUrl === "string" ? adminUrl : adminUrl();
}

/**
 * The database of `SLIPWAY_DATABASE_URL`. That URL is the administrator's; each service logs in under a role of its own, with a
 * password kept in `<data>/secrets/postgres/<role>` (mount these where several machines share one database). Where it was prepared beforehand only its
 * host and name are used.
 */
export function databaseOf(config: HostConfig): HostDatabase {
  if (adapterOf("SLIPWAY_DATABASE_URL", config.databaseUrl) === "embedded") {
    throw new ConfigError([
      {
        variable: "SLIPWAY_DATABASE_URL",
        message: "embedded: is started by the standalone app; a service alone needs postgres://",
      },
    ]);
  }
  return {
    adminUrl: config.databaseUrl,
    roleUrl(role) {
      const url = new URL(config.databaseUrl);
      url.username = role;
      if (config.prepared) requirePassword(config, role);
      url.password = encodeURIComponent(rolePassword(passwordsFolder(config), role));
      return url.href;
    },
  };
}

export const passwordsFolder = (config: Pick<HostConfig, "dataDir">): string =>
  join(config.dataDir, "secrets", "postgres");

/** One that this process made up would be a password that nobody has told the database. */
function requirePassword(config: HostConfig, role: string): void {
  const file = join(passwordsFolder(config), role);
  if (existsSync(file)) return;
  throw new ConfigError([
    {
      variable: "SLIPWAY_DATA",
      message: `${file} is missing: mount there the role's password, as it was given to the process that prepared the database`,
    },
  ]);
}

/** Of nobody's service, and used by all. */
export const sharedSchemas = ["bus", "access"] as const;

export const roleOf = (schema: string): string => `slipway_${schema}`;

/** `bus` and `access` first, then each module's schema: durable's tables and its own. */
export async function migrateAll(
  database: HostDatabase,
  modules: readonly ServiceModule[],
  migrationsDir: string,
  log: Logger,
): Promise<void> {
  const folder = (name: string) => join(migrationsDir, name);
  const schemas = [
    ...sharedSchemas.map((schema) => ({ schema, directories: [folder(schema)] })),
    ...modules.map(({ schema }) => ({ schema, directories: [folder("durable"), folder(schema)] })),
  ];
  for (const { schema, directories } of schemas) {
    const roleUrl = database.roleUrl(roleOf(schema));
    await migrate({ adminUrl: adminUrlOf(database), roleUrl, schema, directories, log });
  }
}

/** For the few rows that only the host writes. Close it soon. */
export function openAccess(database: HostDatabase, log: Logger): Db<AccessTables> {
  return openDb<AccessTables>({
    url: adminUrlOf(database),
    schema: "access",
    max: 1,
    applicationName: "slipway-host",
    log,
  });
}
