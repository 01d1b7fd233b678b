import type { RegionName } from "@slipway/kernel";
import type { Deployment } from "./domain/deployment.ts";
import { reportDrift } from "./effects/drift.ts";
import type { Ports } from "./effects.ts";
import type { Service } from "./service.ts";

type Place = {
  readonly service: Pick<Service, "regions" | "locks">;
  readonly ports: Pick<Ports, "bus" | "clock" | "audit">;
};

/**
 * The region of a deployment that has ended and that nothing newer followed. A version that was taken back and has requests again is lowered
 * once more, under the grant that took it back: the gate is still shut by it. One that is verified and was lowered is only told of.
 */
export async function lookAtEnded({ service, ports }: Place, state: Deployment, region: RegionName): Promise<void> {
  const { plan } = state;
  const { environment, version, id } = plan;
  const cluster = await service.regions.cluster(region);
  const traffic = await cluster.readTraffic(plan);
  const [target] = await service.locks.holders([{ service: plan.service, environment, region }]);
  if (target === undefined || target.holder !== null || traffic.fence?.epoch !== target.epoch) return;
  const percent = traffic.weights[version] ?? 0;
  const by = traffic.writtenBy ?? "somebody with kubectl";
  const key = `${id}/${region}/${traffic.uid}/${traffic.resourceVersion}`;
  if (state.phase === "verified") {
    if (percent >= 99.95 || traffic.recorded?.[version] !== 100) return;
    const what = `${region}: ${version} was lowered to ${Math.round(percent)}% by ${by}`;
    await reportDrift(ports, plan, { region, what, by, key });
    return;
  }
  const takenBack = state.phase === "rolled_back" && traffic.fence.gate === "shut" && traffic.fence.holder === id;
  if (!takenBack || percent === 0) return;
  const baseline = plan.baselines[region] ?? null;
  await cluster.lower(plan, { epoch: target.epoch, deployment: id, baseline, canary: version });
  const what = `${region}: ${version}, which was taken back, was raised to ${Math.round(percent)}% by ${by}: lowered again`;
  await reportDrift(ports, plan, { region, what, by, key });
}
