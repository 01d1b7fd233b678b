import { readFileSync } from "node:fs";
import { errorCodes, unreadableRemedy } from "@slipway/kernel";
import type { ConfigProblem } from "./config-error.ts";

/** What may hold a secret, and so may stand in a file that `<variable>_FILE` names, as containers are given secrets. */
export const variablesOfFiles = [
  "SLIPWAY_DATABASE_URL",
  "SLIPWAY_BUS_URL",
  "SLIPWAY_LOCK_URL",
  "SLIPWAY_CACHE_URL",
  "SLIPWAY_OBJECTS_URL",
  "SLIPWAY_SECRETS_KEY",
  "SLIPWAY_SECRETS_OLD_KEYS",
  "SLIPWAY_IMAGE_REGISTRIES",
  "SLIPWAY_SLACK_WEBHOOK_URL",
] as const;

/** The variables with those that files hold; what cannot be read, or is said twice, becomes a problem. */
export function fromFiles(
  env: Readonly<Record<string, string>>,
  problems: ConfigProblem[],
): Readonly<Record<string, string>> {
  const read: Record<string, string> = { ...env };
  for (const name of variablesOfFiles) {
    const variable = `${name}_FILE`;
    const path = env[variable];
    if (path === undefined) continue;
    delete read[variable];
    if (env[name] !== undefined) {
      problems.push({ variable, message: `${name} is set as well`, remedy: "keep one of the two" });
      continue;
    }
    try {
      const text = readFileSync(path, "utf8").trim();
      if (text === "")
        problems.push({ variable, message: `${path} is empty`, remedy: `write into it what ${name} is to be` });
      else read[name] = text;
    } catch (error) {
      problems.push({
        variable,
        message: `${path} cannot be read (${errorCodes(error).trim()})`,
        remedy: unreadableRemedy(error, variable),
      });
    }
  }
  return read;
}
