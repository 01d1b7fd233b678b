import { platformServices } from "@slipway/client";
import { nearestOf } from "@slipway/contracts";
import { hostVariables } from "./config.ts";
import { variablesOfFiles } from "./config-files.ts";
import { urlVariable } from "./url-variable.ts";

const prefix = "SLIPWAY_";

/** Those of single services and of the command line, which the host does not read; a test holds that none is missing. */
const ofOthers = [
  ...["REGISTRY_HOST", "REGISTRY_MAX_BLOB_BYTES", "EXTERNAL_REGISTRIES", "EXTERNAL_LOOPBACK", "EXTERNAL_PLATFORM"],
  ...["EXTERNAL_DEADLINE", "MAX_IMPORTS", "PUBLISH_TO", "PUBLISH_DEADLINE", "KEEP_UPLOADS"],
  ...[
    "ISOLATION",
    "NO_ISOLATION",
    "GIT_ALLOW_FILE",
    "BUILD_TOOLS",
    "BASES",
    "MAX_BUILDS",
    "MAX_STEPS",
    "IMAGE_REGISTRIES",
    "CACHE_MIB",
  ],
  ...["KEEP_WORKSPACES", "KEEP_BUILD_LOGS", "MOVE_BUILD_LOGS", "KEEP_DELIVERIES", "SECRETS_KEY", "SECRETS_OLD_KEYS"],
  ...["SETTLE_MS", "DRIFT_MS", "SLACK_WEBHOOK_URL", "KEEP_NOTIFICATIONS", "JOURNAL_DIR", "KEEP_LOOKS", "LOOK_MS"],
  ...["TOKEN", "TOKEN_FILE", "HOME", "PID_FILE", "GIT_ROOT", "KEEP_IMAGES"],
].map((name) => `${prefix}${name}`);

/** What Kubernetes tells a pod of Services by itself, where nobody has told it not to. */
const serviceLink = /_(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\d+_\w+)?)$/;

/** Every SLIPWAY_ variable that some process reads. */
export function knownVariables(): readonly string[] {
  const files = variablesOfFiles.map((name) => `${name}_FILE`);
  return [...new Set([...hostVariables(), ...platformServices.map(urlVariable), ...files, ...ofOthers])];
}

export type Misspelt = { readonly variable: string; readonly meant: string };

/** Variables that nobody reads, whose names are nearly those of others: what somebody meant to set is not set. */
export function misspelt(environment: Readonly<Record<string, string | undefined>>): readonly Misspelt[] {
  const known = knownVariables();
  const words = known.map((name) => name.slice(prefix.length));
  return Object.keys(environment).flatMap((variable) => {
    if (!variable.startsWith(prefix) || known.includes(variable) || serviceLink.test(variable)) return [];
    // Files are read only for what may be a secret, and for others the variable itself may name one.
    const stem = variable.replace(/_FILE$/, "");
    if (known.includes(stem)) return [{ variable, meant: stem }];
    const meant = nearestOf(variable.slice(prefix.length), words);
    return meant === undefined ? [] : [{ variable, meant: `${prefix}${meant}` }];
  });
}

/** As sentences. */
export const misspeltWarnings = (environment: Parameters<typeof misspelt>[0]): readonly string[] =>
  misspelt(environment).map((each) => `${each.variable} is read by nobody: ${misspeltRemedy(each)}`);

export const misspeltRemedy = ({ meant }: Misspelt): string =>
  `say ${meant} if that is what was meant, or take it away`;
