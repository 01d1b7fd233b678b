import type { SlipwayFile } from "@slipway/contracts";

type Problem = { readonly path: readonly PropertyKey[]; readonly message: string };

/** What is wrong with where a file asks for secrets. */
export function secretProblems(file: SlipwayFile): Problem[] {
  const steps = Object.entries(file.pipeline).flatMap(([name, step]) => {
    const path = ["pipeline", name, "secrets"];
    if (step.uses !== undefined && step.uses !== "dockerfile" && step.secrets.length > 0) {
      return [{ path, message: `${step.uses} is Slipway's own step and is given no secrets` }];
    }
    return doubles(path, step);
  });
  const environments = Object.entries(file.environments).flatMap(([name, environment]) =>
    doubles(["environments", name, "secrets"], environment),
  );
  return [...steps, ...environments];
}

/** Which of the two would win is not to be guessed. */
function doubles(
  path: readonly PropertyKey[],
  { env, secrets }: { readonly env: Readonly<Record<string, string>>; readonly secrets: readonly string[] },
): Problem[] {
  return secrets.flatMap((secret, index) =>
    Object.hasOwn(env, secret) ? [{ path: [...path, index], message: `${secret} stands under env too` }] : [],
  );
}
