import { ProblemError } from "@slipway/contracts";

/** Whose secrets: steps of a service's builds, or its pods in an environment. */
export type Scope = { readonly service: string; readonly scope: string };

/** The scope of builds. Environments have their own names as scopes, in another schema. */
export const buildScope = "build";

/** secret.missing: says what is not set, and the commands that set it. */
export function missingSecrets(owner: string, { service, scope }: Scope, names: readonly string[]): ProblemError {
  const flag = owner === "build" ? "--build" : `--env ${scope}`;
  const where = owner === "build" ? "builds" : scope;
  const what = names.length === 1 ? `secret ${names[0]}` : `secrets ${names.join(", ")}`;
  const verb = names.length === 1 ? "is" : "are";
  return new ProblemError("secret.missing", `The ${what} of ${service} for ${where} ${verb} not set.`, {
    remedy: names.map((name) => `slipway secrets set ${service} ${name} ${flag}`).join("; "),
  });
}
