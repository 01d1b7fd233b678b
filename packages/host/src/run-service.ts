import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ProblemError } from "@slipway/contracts";
import { type Logger, rolePassword } from "@slipway/sql";
import { pino } from "pino";
import { type HostConfig, readConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { databaseOf, passwordsFolder, roleOf, sharedSchemas } from "./database.ts";
import { makeTokenFile, people } from "./first-tokens.ts";
import type { AnyServiceModule, ServiceModule } from "./module.ts";
import { prepareServices } from "./prepare-database.ts";
import { runHost } from "./run-host.ts";
import { tokensFolder } from "./start-module.ts";
import { startProblem } from "./start-problem.ts";
import { waitToStart } from "./wait-to-start.ts";

/**
 * One service in a process of its own, by the first word of the command line:
 *
 *   (none, or its name)   runs it until SIGTERM; while it cannot start, /readyz says why
 *   prepare               makes its schema, its role and the tokens, as the administrator of SLIPWAY_DATABASE_URL, and ends
 *   credentials           makes the files of SLIPWAY_DATA that `prepare` and the service share, without a database, and ends
 *
 * What cannot be mended by waiting ends the process with exit code 1 and a sentence on stderr.
 */
export async function runService(one: AnyServiceModule, command = process.argv[2]): Promise<void> {
  const module = one as ServiceModule;
  try {
    if (command === "credentials") return await makeCredentials(module, readConfig(process.env));
    const config = readConfig(process.env, [module]);
    const log: Logger = pino({ level: config.logLevel, base: { pid: process.pid } });
    if (command === "prepare") return void (await prepareServices(databaseOf(config), config, [module], log));
    await run(module, config, log);
  } catch (error) {
    process.stderr.write(`${module.name}: ${sentenceOf(error)}\n`);
    process.exitCode = 1;
  }
}

async function run(module: ServiceModule, config: HostConfig, log: Logger): Promise<void> {
  const database = databaseOf(config);
  const problem = () => startProblem(database, config, [module]);
  // Who can start without a database finds out by itself, and has work to do meanwhile.
  const mayStart = module.startsWithoutDatabase === true || (await waitToStart(problem, config, [module.name], log));
  if (mayStart) await runHost({ modules: [module], config, database, log, watchBackends: true });
}

/** Tokens and passwords as they are mounted into the services: made once, on any machine. Those that are there are kept. */
async function makeCredentials({ name, schema }: ServiceModule, config: HostConfig): Promise<void> {
  for (const owner of [...people.map((person) => person.name), name]) await makeTokenFile(tokensFolder(config), owner);
  for (const each of [...sharedSchemas, schema]) rolePassword(passwordsFolder(config), roleOf(each));
  const key = join(config.dataDir, "secrets", "values.key");
  if (!existsSync(key)) await writeFile(key, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
}

/** Messages alone: an error that is printed whole may carry what it was made with. */
function sentenceOf(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  if (error instanceof ProblemError)
    return error.remedy === undefined ? error.message : `${error.message} ${error.remedy}`;
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? error.code : undefined;
  return (code === "EROFS" || code === "EACCES") && "path" in error
    ? `${error.message}: mount there what \`slipway-service credentials\` has made, or a folder that can be written`
    : error.message;
}
