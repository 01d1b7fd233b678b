import { existsSync } from "node:fs";
import { join } from "node:path";
import { openDb, prepareProblems, schemaProblem, silentLogger } from "@slipway/sql";
import type { HostConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { adminUrlOf, type HostDatabase, passwordsFolder, roleOf, sharedSchemas } from "./database.ts";
import { readTokens } from "./first-tokens.ts";
import type { ServiceModule } from "./module.ts";
import { tokensFolder } from "./start-module.ts";
import { type AccessTables, findToken } from "./token-rows.ts";
import { parseToken } from "./tokens.ts";

type Asked = Pick<ServiceModule, "name" | "schema">;

/** What prepares a database for services that may not change it. */
export const prepareWith = "`slipway-service prepare`";

/**
 * What keeps these services from starting, a sentence each that says what to do; none: nothing that can be told beforehand. Where the process
 * prepares the database itself only its administrator's login is looked at: what is missing it makes.
 */
export async function startProblems(
  database: HostDatabase,
  config: HostConfig,
  modules: readonly Asked[],
): Promise<readonly string[]> {
  if (!config.prepared) {
    const known = (role: string) => existsSync(join(passwordsFolder(config), role));
    const roleUrl = (role: string) => (known(role) ? database.roleUrl(role) : undefined);
    return await administratorProblems(database, modules, roleUrl);
  }
  const found = await Promise.all(modules.map((module) => problemsOf(database, config, module)));
  return [...new Set(found.flat())];
}

/** All of them in one. */
export async function startProblem(
  database: HostDatabase,
  config: HostConfig,
  modules: readonly Asked[],
): Promise<string | undefined> {
  const problems = await startProblems(database, config, modules);
  return problems.length === 0 ? undefined : problems.join("; ");
}

/** What keeps the administrator of SLIPWAY_DATABASE_URL from preparing it for these services. */
export async function administratorProblems(
  database: HostDatabase,
  modules: readonly Pick<ServiceModule, "schema">[],
  roleUrl: (role: string) => string | undefined,
): Promise<readonly string[]> {
  const schemas = [...sharedSchemas, ...modules.map(({ schema }) => schema)];
  const urlIn = "SLIPWAY_DATABASE_URL";
  return await prepareProblems({
    ...{ url: adminUrlOf(database), urlIn, passwordIn: urlIn },
    schemas: schemas.map((schema) => ({ schema, roleUrl: roleUrl(roleOf(schema)) })),
  });
}

async function problemsOf(database: HostDatabase, config: HostConfig, module: Asked): Promise<readonly string[]> {
  const file = join(tokensFolder(config), module.name);
  const token = await tokenOf(config, module);
  const kid = token === undefined ? undefined : parseToken(token)?.kid;
  const ofFile = [
    ...(token === undefined
      ? [`${file} is missing: mount there the service's token, as it was given to ${prepareWith}`]
      : []),
    ...(token !== undefined && kid === undefined
      ? [`${file} holds no whole token: mount there what \`slipway-service credentials\` has made`]
      : []),
  ];
  const url = urlOf(database, roleOf(module.schema));
  if (url instanceof ConfigError) return [...ofFile, ...url.problems.map(({ message }) => message)];
  const ofSchema = await schemaOf(module, url, config);
  const ofToken = kid === undefined ? undefined : await unknownToken(module, url, kid, file);
  // A database that cannot be asked for one cannot be asked for the other.
  const second = ofToken?.asked === false && ofSchema !== undefined ? undefined : ofToken?.problem;
  return [...ofFile, ...[ofSchema, second].filter((problem) => problem !== undefined)];
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

/** Every call to another service would be refused, long after the start. `asked`: whether the database has said so. */
async function unknownToken(
  { schema }: Asked,
  url: string,
  kid: string,
  file: string,
): Promise<{ readonly problem: string | undefined; readonly asked: boolean }> {
  const db = openDb<AccessTables>({ url, schema, max: 1, applicationName: "slipway-check", log: silentLogger });
  try {
    const row = await findToken(db, kid);
    if (row === undefined)
      return {
        problem: `the database does not know the token in ${file}: run ${prepareWith} with the same credentials`,
        asked: true,
      };
    const revoked = `the token in ${file} was revoked: make one anew by \`slipway-service credentials\`, mount it there and run ${prepareWith} with it`;
    return { problem: row.revoked_at === null ? undefined : revoked, asked: true };
  } catch (error) {
    return {
      problem: `the tokens in the database cannot be read (${error instanceof Error ? error.message : String(error)}): run ${prepareWith}`,
      asked: false,
    };
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
