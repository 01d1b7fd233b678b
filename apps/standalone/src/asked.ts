/** SLIPWAY_PORT; a sentence where it is no port. */
export function askedPort(env: NodeJS.ProcessEnv): number | string | undefined {
  const asked = env.SLIPWAY_PORT;
  if (asked === undefined || asked === "") return undefined;
  return /^\d{1,5}$/.test(asked) && Number(asked) <= 65_535
    ? Number(asked)
    : `SLIPWAY_PORT is ${asked}, which is no port.`;
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

export function listensEverywhere(env: NodeJS.ProcessEnv): boolean {
  return env.SLIPWAY_HOST === everyAddress;
}
