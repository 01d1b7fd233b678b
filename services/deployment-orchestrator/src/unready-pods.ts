import type { WorkloadStatus } from "@slipway/cluster";
import type { DeploymentView } from "@slipway/contracts";
import { type RegionName, within } from "@slipway/kernel";
import { maskerFor } from "@slipway/secrets";
import type { Deployment } from "./domain/deployment.ts";
import type { Service } from "./service.ts";

const answersWithinMs = 1_000;
const podsTold = 10;

/**
 * A view with what each pod says now that a deployment waits for, e.g. that its image cannot be pulled: minutes pass until it is given up. A region that
 * does not answer in a second is left as it is: its command says so soon.
 */
export async function withUnreadyPods(
  service: Pick<Service, "regions" | "secrets">,
  state: Deployment,
  view: DeploymentView,
): Promise<DeploymentView> {
  const awaited = awaitedRegions(state);
  if (awaited.length === 0) return view;
  const regions = { ...view.regions };
  const { service: name, environment } = state.plan;
  const values = await service.secrets.everyValue({ service: name, scope: environment });
  const mask = maskerFor(values);
  const told = await Promise.all(
    awaited.map(async (region) => {
      const own = regions[region];
      const { reasons, refused } = await statusIn(service, state, region);
      if (own !== undefined && reasons.length > 0)
        regions[region] = { ...own, pods: reasons.slice(0, podsTold).map(mask) };
      return refused === undefined ? [] : [`${region} refuses them, ${mask(refused)}`];
    }),
  );
  return { ...view, regions, waiting: waitingForRefused(view.waiting, told.flat()) };
}

/** No readiness check mends what the region does not even make. */
function waitingForRefused(waiting: DeploymentView["waiting"], refusals: readonly string[]): DeploymentView["waiting"] {
  if (waiting === null || refusals.length === 0) return waiting;
  return {
    ...waiting,
    for: `${waiting.for}: ${refusals.join("; ")}`,
    unblockedBy: "the quota, policy or webhook of the region that is named there lets the pods be made",
  };
}

function awaitedRegions(state: Deployment): readonly RegionName[] {
  if (state.phase === "preparing") return state.plan.regions.filter((region) => !state.ready.includes(region));
  if (state.phase === "raising" && state.stage === "scaling")
    return state.plan.regions.filter((region) => !state.done.includes(region));
  return [];
}

type Told = Pick<WorkloadStatus, "reasons" | "refused">;
const nothing: Told = { reasons: [] };

async function statusIn(
  { regions }: Pick<Service, "regions">,
  { plan }: Deployment,
  region: RegionName,
): Promise<Told> {
  const read = async () => {
    const cluster = await regions.cluster(region);
    return (await cluster.readWorkload(plan, plan.version)) ?? nothing;
  };
  try {
    return await within(answersWithinMs, read(), () => nothing);
  } catch {
    return nothing;
  }
}
