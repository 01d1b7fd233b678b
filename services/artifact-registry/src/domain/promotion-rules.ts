import { nearest } from "@slipway/contracts";
import { type EnvironmentName, type Refusal, refuse } from "@slipway/kernel";

/** An environment as the rules see it; the list is in the order in which artifacts pass. */
export type Environment = { readonly name: EnvironmentName; readonly production: boolean };

export type PromotionCase = {
  readonly digest: string;
  readonly to: EnvironmentName;
  readonly environments: readonly Environment[];
  /** Where the artifact is already. */
  readonly reached: readonly EnvironmentName[];
  readonly badIn: readonly EnvironmentName[];
  readonly isolation: string;
};

export type Allowed = { readonly kind: "allowed"; readonly from: EnvironmentName; readonly approvalsNeeded: number };

const approversOfProduction = 1;

/** Whether an artifact may be promoted, from where, and how many people other than the requester have to agree. */
export function judgePromotion(asked: PromotionCase): Allowed | Refusal {
  const { digest, to, environments, reached } = asked;
  const at = environments.findIndex((environment) => environment.name === to);
  const target = environments[at];
  if (target === undefined) {
    const names = environments.map(({ name }) => name);
    const detail = `There is no environment ${to}${nearest(to, names) || "."}`;
    return refuse("environment.not_found", detail, `One of: ${names.join(", ")}.`);
  }
  const from = environments[at - 1];
  if (from === undefined) {
    return refuse("promotion.order", `Registering puts an artifact into ${to}; nothing is promoted to it.`);
  }
  if (!reached.includes(from.name)) {
    return refuse("promotion.order", `${digest} is not in ${from.name} yet.`, `Promote it to ${from.name} first.`);
  }
  const bad = barredBy(asked);
  if (bad !== undefined) return bad;
  return { kind: "allowed", from: from.name, approvalsNeeded: target.production ? approversOfProduction : 0 };
}

/** What stands against the artifact itself. Asked when a promotion is requested and again when it is approved. */
export function barredBy(asked: PromotionCase): Refusal | undefined {
  const { digest, to, environments, badIn, isolation } = asked;
  const at = environments.findIndex((environment) => environment.name === to);
  const onTheWay = environments.slice(0, at + 1).map((environment) => environment.name);
  const bad = onTheWay.find((name) => badIn.includes(name));
  if (bad !== undefined) {
    return refuse("artifact.marked_bad", `${digest} was found bad in ${bad}.`, "Build and promote a repaired commit.");
  }
  if (isolation === "none" && environments[at]?.production === true) {
    const remedy = "Build the commit again on a machine where build steps are isolated.";
    return refuse("artifact.unisolated", `${digest} was built without isolation and may not go to ${to}.`, remedy);
  }
  return undefined;
}
