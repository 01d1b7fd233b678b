import { type DeploymentView, ProblemError } from "@slipway/contracts";
import type { EnvironmentName, RegionName, ServiceName } from "@slipway/kernel";
import { type Behind, type Observed, observedReason } from "./behind.ts";

type Where = { readonly service: ServiceName; readonly environment: EnvironmentName };

const unblockedBy = "an admin looks at `slipway restore` and accepts it with `slipway restore accept --yes`";

/** Throws restore.required where a region carries a newer grant than the database: what serves there is not known. */
export async function refuseWhileObserving(
  behind: Behind,
  where: Where,
  regions: readonly RegionName[],
): Promise<void> {
  const found = (await behind.observed(where)).find(({ region }) => regions.includes(region));
  if (found === undefined) return;
  throw new ProblemError("restore.required", `Nothing is deployed there: ${observedReason(found)}.`, {
    remedy: `Look at \`slipway restore\`; an admin accepts it with \`slipway restore accept --yes\`.`,
  });
}

/** What a deployment under way really waits for while one of its regions is only observed. */
export function waitingWhileObserved<W extends DeploymentView["waiting"]>(
  view: { readonly phase: string; readonly waiting: W; readonly regions: readonly string[] },
  observed: readonly Observed[],
): W | NonNullable<DeploymentView["waiting"]> {
  const found = observed.find(({ region }) => view.regions.includes(region));
  if (found === undefined || view.waiting === null) return view.waiting;
  return { for: observedReason(found), holder: found.fence.split("/")[3], since: found.since, unblockedBy };
}
