import { join } from "node:path";
import { databaseProblem, schemaProblem } from "@slipway/sql";
import type { HostConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { adminUrlOf, type HostDatabase, passwordsFolder, roleOf } from "./database.ts";
import { readTokens } from "./first-tokens.ts";
import type { ServiceModule } from "./module.ts";
import { tokensFolder } from "./start-module.ts";

type Asked = Pick<ServiceModule, "name" | "schema">;

/** What prepares a database for services that may not change it. */
export const prepareWith = "`slipway-service prepare`";

/**
 * What keeps these services from starting, as a sentence that says what to do; undefined: nothing that can be told beforehand. Where the process
 * prepares the database itself only its administrator's login is looked at: what is missing it makes.
 */
export async function startProblem(
  database: HostDatabase,
  config: HostConfig,
  modules: readonly Asked[],
): Promise<string | undefined> {
  const urlIn = "SLIPWAY_DATABASE_URL";
  if (!config.prepared) return await databaseProblem({ url: adminUrlOf(database), urlIn, passwordIn: urlIn });
  const missing = await missingToken(config, modules);
  if (missing !== undefined) return missing;
  for (const { schema } of modules) {
    const role = roleOf(schema);
    const url = urlOf(database, role);
    if (url instanceof ConfigError) return url.problems.map(({ message }) => message).join("; ");
    const problem = await schemaProblem({
      ...{ url, urlIn, schema, prepareWith },
      passwordIn: `${join(passwordsFolder(config), role)} (the password that ${prepareWith} gave the role)`,
      directories: ["durable", schema].map((folder) => join(config.migrationsDir, folder)),
    });
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function urlOf(database: HostDatabase, role: string): string | ConfigError {
  try {
    return database.roleUrl(role);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

async function missingToken(config: HostConfig, modules: readonly Asked[]): Promise<string | undefined> {
  const folder = tokensFolder(config);
  const tokens = await readTokens(
    folder,
    modules.map(({ name }) => ({ name, roles: ["service"] })),
  );
  const without = modules.find(({ name }) => !tokens.has(name));
  if (without === undefined) return undefined;
  return `${join(folder, without.name)} is missing: mount there the service's token, as it was given to ${prepareWith}`;
}
