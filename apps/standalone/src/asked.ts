import { type RegionEntry, regionsAsked } from "@slipway/host";

/** SLIPWAY_PORT; a sentence where it is no port. */
export function askedPort(env: NodeJS.ProcessEnv): number | string | undefined {
  const asked = env.SLIPWAY_PORT;
  if (asked === undefined || asked === "") return undefined;
  return /^\d{1,5}$/.test(asked) && Number(asked) <= 65_535
    ? Number(asked)
    : `SLIPWAY_PORT is ${asked}, which is no port.`;
}

/** SLIPWAY_REGIONS: regions of one's own instead of this laptop's three; a sentence where the file cannot be read. */
export function askedRegions(env: NodeJS.ProcessEnv): readonly RegionEntry[] | string | undefined {
  try {
    const asked = regionsAsked(env.SLIPWAY_REGIONS || "local:");
    return asked.kind === "local" ? undefined : asked.entries;
  } catch (error) {
    return `SLIPWAY_REGIONS: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const loopback = "127.0.0.1";
const everyAddress = "0.0.0.0";

/**
 * Why SLIPWAY_HOST cannot be followed; undefined where it can. The platform and its regions speak to each other over loopback, so it must listen there:
 * there alone, or on every address (as in a container, whose port is published).
 */
export function hostRefusal(env: NodeJS.ProcessEnv): string | undefined {
  const asked = env.SLIPWAY_HOST ?? "";
  return ["", loopback, everyAddress].includes(asked)
    ? undefined
    : `SLIPWAY_HOST is ${asked}; it can be ${loopback} (the default) or ${everyAddress}, every address of this machine.`;
}

/** Where the platform listens. */
export function listeningHost(env: NodeJS.ProcessEnv): string {
  return listensEverywhere(env) ? everyAddress : loopback;
}

export function listensEverywhere(env: NodeJS.ProcessEnv): boolean {
  return env.SLIPWAY_HOST === everyAddress;
}
