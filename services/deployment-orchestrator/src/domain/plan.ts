import type { DeploymentRequest, RunSpec } from "@slipway/contracts";
import { type Refusal, refuse } from "@slipway/kernel";
import type { PlanStep } from "./deployment.ts";

export type PlanRules = { readonly name: string; readonly production: boolean; readonly minimumBakeMs: number };

/** Where nothing is proven by requests, a longer bake proves nothing either. */
const longestBakeOutsideMs = 10_000;

/**
 * The ordered steps of a canary. `canary_percent` replaces the first weight, and later ones that are not above it fall away.
 * The file may lengthen a bake; an environment's minimum holds all the same.
 */
export function canaryPlan(
  file: Pick<RunSpec, "deploy" | "environments">,
  request: DeploymentRequest,
  rules: PlanRules,
): readonly PlanStep[] | Refusal {
  const asked = stepsFor(file, rules);
  const percent = request.canary_percent;
  const [first] = asked;
  const steps =
    percent === undefined || first === undefined
      ? asked
      : [{ ...first, weightPercent: percent }, ...asked.slice(1).filter((step) => step.weightPercent > percent)];
  const climbs = steps.every((step, i) => i === 0 || step.weightPercent > (steps[i - 1]?.weightPercent ?? 0));
  if (!climbs)
    return refuse(
      "plan.invalid",
      "The weights of deploy.steps must climb.",
      "Order the steps from the smallest weight to 100.",
    );
  if (steps.at(-1)?.weightPercent !== 100) {
    return refuse(
      "plan.invalid",
      "The last step of deploy.steps must be 100%.",
      "Add { weight: 100 } as the last step.",
    );
  }
  return steps.map((step) => ({
    weightPercent: step.weightPercent,
    bakeMs: step.weightPercent === 100 ? step.bakeMs : Math.max(step.bakeMs, rules.minimumBakeMs),
  }));
}

/** The steps that the file has for the environment. Outside production those of `deploy` are taken quicker: they are meant for real requests. */
function stepsFor(file: Pick<RunSpec, "deploy" | "environments">, rules: PlanRules): readonly PlanStep[] {
  const own = file.environments[rules.name]?.steps;
  const longest = own === undefined && !rules.production ? longestBakeOutsideMs : Number.POSITIVE_INFINITY;
  const steps = own ?? file.deploy.steps;
  return steps.map(({ weight, bake }) => ({ weightPercent: weight, bakeMs: Math.min(bake, longest) }));
}

/** The first deployment of a service, and the way back: everything at once. */
export function wholePlan(bakeMs: number): readonly PlanStep[] {
  return [{ weightPercent: 100, bakeMs }];
}

/** Pods of the new version at a weight: its share of the full size, never fewer than two beside a baseline. */
export function replicasAt(full: number, weightPercent: number): number {
  return weightPercent === 100 ? full : Math.max(2, Math.ceil((full * weightPercent) / 100));
}
