import { join } from "node:path";
import { databaseProblem, openDb, schemaProblem, silentLogger } from "@slipway/sql";
import type { HostConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { adminUrlOf, type HostDatabase, passwordsFolder, roleOf } from "./database.ts";
import { readTokens } from "./first-tokens.ts";
import type { ServiceModule } from "./module.ts";
import { tokensFolder } from "./start-module.ts";
import { type AccessTables, findToken } from "./token-rows.ts";
import { parseToken } from "./tokens.ts";

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
  for (const module of modules) {
    const token = await tokenOf(config, module);
    if (token === undefined)
      return `${join(tokensFolder(config), module.name)} is missing: mount there the service's token, as it was given to ${prepareWith}`;
    const url = urlOf(database, roleOf(module.schema));
    if (url instanceof ConfigError) return url.problems.map(({ message }) => message).join("; ");
    const problem = (await schemaOf(module, url, config)) ?? (await unknownToken(module, url, token, config));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

async function tokenOf(config: HostConfig, { name }: Asked): Promise<string | undefined> {
  return (await readTokens(tokensFolder(config), [{ name, roles: ["service"] }])).get(name);
}

function schemaOf({ schema }: Asked, url: string, config: HostConfig): Promise<string | undefined> {
  return schemaProblem({
    ...{ url, schema, prepareWith, urlIn: "SLIPWAY_DATABASE_URL" },
    passwordIn: `${join(passwordsFolder(config), roleOf(schema))} (the password that ${prepareWith} gave the role)`,
    directories: ["durable", schema].map((folder) => join(config.migrationsDir, folder)),
  });
}

/** Every call to another service would be refused, long after the start. */
async function unknownToken(
  { name, schema }: Asked,
  url: string,
  token: string,
  config: HostConfig,
): Promise<string | undefined> {
  const file = join(tokensFolder(config), name);
  const kid = parseToken(token)?.kid;
  if (kid === undefined)
    return `${file} holds no whole token: mount there what \`slipway-service credentials\` has made`;
  const db = openDb<AccessTables>({ url, schema, max: 1, applicationName: "slipway-check", log: silentLogger });
  try {
    const row = await findToken(db, kid);
    return row === undefined || row.revoked_at !== null
      ? `the database does not know the token in ${file}: run ${prepareWith} with the same credentials`
      : undefined;
  } catch (error) {
    return `the tokens in the database cannot be read (${error instanceof Error ? error.message : String(error)}): run ${prepareWith}`;
  } finally {
    await db.destroy();
  }
}

function urlOf(database: HostDatabase, role: string): string | ConfigError {
  try {
    return database.roleUrl(role);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}
