import type { DeploymentRequest, RunSpec } from "@slipway/contracts";
import { type Refusal, refuse } from "@slipway/kernel";
import type { Plan, PlanStep } from "./deployment.ts";

export type PlanRules = { readonly name: string; readonly production: boolean; readonly minimumBakeMs: number };

/** Where nothing is proven by requests, a longer bake proves nothing either: enough for a program that dies of its first ones. */
const longestBakeOutsideMs = 3_000;

/**
 * The ordered steps of a canary. `canary_percent` replaces the first weight, and later ones that are not above it fall away.
 * The file may lengthen a bake; an environment's minimum holds all the same.
 */
export function canaryPlan(
  file: Pick<RunSpec, "deploy" | "environments">,
  request: DeploymentRequest,
  rules: PlanRules,
): readonly PlanStep[] | Refusal {
  const own = file.environments[rules.name]?.steps;
  const asked = (own ?? file.deploy.steps).map(({ weight, bake }) => ({ weightPercent: weight, bakeMs: bake }));
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
  if (own === undefined && !rules.production) return oneLook(steps);
  return steps.map((step) => ({
    weightPercent: step.weightPercent,
    bakeMs: step.weightPercent === 100 ? step.bakeMs : Math.max(step.bakeMs, rules.minimumBakeMs),
  }));
}

/**
 * Steps are meant for the requests that prove a version. Outside production none are asked for: a short look at the first weight, then all of it.
 * Who wants to climb there as in production says so in `environments.<name>.steps`.
 */
function oneLook(steps: readonly PlanStep[]): readonly PlanStep[] {
  const [first] = steps;
  const last = steps.at(-1);
  if (first === undefined || last === undefined) return steps;
  return (first === last ? [last] : [first, last]).map(({ weightPercent, bakeMs }) => ({
    weightPercent,
    bakeMs: Math.min(bakeMs, longestBakeOutsideMs),
  }));
}

/** The first deployment of a service, and the way back: everything at once. */
export function wholePlan(bakeMs: number): readonly PlanStep[] {
  return [{ weightPercent: 100, bakeMs }];
}

/** What a version is given at a step of its plan, in percent; nothing at a step that the plan does not have. */
export function weightAt({ steps }: Pick<Plan, "steps">, step: number): number {
  return steps[step]?.weightPercent ?? 0;
}

/** Pods of the new version at a weight: its share of the full size, never fewer than two beside a baseline. */
export function replicasAt(full: number, weightPercent: number): number {
  return weightPercent === 100 ? full : Math.max(2, Math.ceil((full * weightPercent) / 100));
}
