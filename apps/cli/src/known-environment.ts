import type { Client } from "@slipway/client";
import { EnvironmentNameSchema, listEnvironments, ProblemError } from "@slipway/contracts";
import { suggesting } from "./suggest.ts";
import { typed } from "./typed.ts";

/** `--env`, where it was given. Throws Unusable. */
export function environmentOf(given: string | undefined) {
  return given === undefined ? undefined : typed(EnvironmentNameSchema, given, "--env");
}

/** Where nothing was found in an environment: throws, with the nearest one that there is, if the platform has none of that name. */
export async function requireEnvironment(client: Client, environment: string): Promise<void> {
  await suggesting(client, { environment }, async () => {
    const { environments } = await client.call(listEnvironments);
    if (!environments.some(({ name }) => name === environment))
      throw new ProblemError("environment.not_found", `There is no environment ${environment}.`);
  });
}
