import { z } from "zod";

const Steps = z.array(z.looseObject({ weight: z.number().optional().catch(undefined) })).catch([]);
const Deploys = z.looseObject({ steps: Steps.optional() }).catch({});

/** As much of slipway.yaml as says by which weights a version climbs. */
export const DeploySteps = z
  .looseObject({ deploy: Deploys.optional(), environments: z.record(z.string(), Deploys).optional().catch(undefined) })
  .catch({});
export type DeploySteps = z.infer<typeof DeploySteps>;

type Problem = { readonly path: readonly PropertyKey[]; readonly message: string };

/** Weights have to climb, and to end at 100: else no deployment could ever follow them. */
export function deployStepsProblems({ deploy, environments = {} }: DeploySteps): Problem[] {
  const lists = [
    { path: ["deploy", "steps"], steps: deploy?.steps ?? [] },
    ...Object.entries(environments).map(([name, { steps = [] }]) => ({ path: ["environments", name, "steps"], steps })),
  ];
  return lists.flatMap(({ path, steps }) =>
    problemsOf(
      path,
      steps.map(({ weight }) => weight),
    ),
  );
}

function problemsOf(path: readonly PropertyKey[], weights: readonly (number | undefined)[]): Problem[] {
  const place = path.map(String).join(".");
  const falling = weights.flatMap((weight, index) => {
    const before = weights[index - 1];
    if (weight === undefined || before === undefined || weight > before) return [];
    const message = `${place}.${index}.weight: ${weight} is not above the ${before} of the step before it`;
    return [{ path: [...path, index, "weight"], message }];
  });
  const last = weights.at(-1);
  if (last === undefined || last === 100 || falling.length > 0) return falling;
  const message = `${place}: the last step has ${last}, where a deployment ends with 100: add { weight: 100 }`;
  return [{ path: [...path, weights.length - 1, "weight"], message }];
}
