import type { Db } from "@slipway/sql";
import type { Deployment } from "./domain/deployment.ts";
import type { Ports } from "./effects.ts";
import { listDeployments, type Tables, takenBackSince } from "./store.ts";

/** What a deployment's effects may know of the others that share a target with it. */
export function neighbours(db: Db<Tables>): Pick<Ports, "sharing" | "wayBack" | "takenBackBy"> {
  return {
    sharing: async (state, phases) => (await othersOf(db, state, phases)).map((other) => other.plan.id),
    takenBackBy: async ({ plan }) => takenBackSince(db, plan),
    wayBack: async (state) =>
      (await othersOf(db, state, ["watching"]))
        .filter((other) => other.phase === "watching" && other.replacedBy === null)
        .flatMap((other) => Object.values(other.plan.baselines))
        .filter((version) => version !== null),
  };
}

async function othersOf(db: Db<Tables>, state: Deployment, phases: readonly Deployment["phase"][]) {
  const { service, environment } = state.plan;
  const found = await listDeployments(db, { service, environment, phases }, 200);
  return found.map((other) => other.state).filter((other) => sharesTarget(state, other));
}

function sharesTarget(one: Deployment, other: Deployment): boolean {
  return one.plan.id !== other.plan.id && other.plan.regions.some((region) => one.plan.regions.includes(region));
}
