import type { RegionName, VersionName } from "@slipway/kernel";
import { type Scene, scenesOf } from "@slipway/testkit";
import type { Deployment, Phase } from "../../src/domain/deployment.ts";
import type { Push } from "../../src/domain/push.ts";
import { ScriptedCluster } from "./scripted-cluster.ts";
import type { Watched } from "./scripted-watch.ts";

const released = new URL("../released", import.meta.url).pathname;

/** What each version left of deployments, and of pushes. */
export const deploymentScenes = await scenesOf(released, "deployment");
export const pushScenes = await scenesOf(released, "push");

/** Of every phase that there is: one that is missing does not compile, one without a scene fails. */
export const deploymentPhases = Object.keys({
  ...{ accepted: 0, queued: 0, opening: 0, preparing: 0, awaiting_approval: 0, raising: 0, baking: 0, held: 0 },
  ...{ finishing: 0, watching: 0, verified: 0, restoring: 0, rolled_back: 0, failed: 0, cancelled: 0, superseded: 0 },
} satisfies Record<Phase, 0>);
export const pushPhases = Object.keys({
  ...{ pending: 0, deployed: 0, refused: 0, superseded: 0, given_up: 0 },
} satisfies Record<Push["phase"], 0>);

/** The deployments of a scene, in the order in which they were granted their regions. */
export function deploymentsOf({ tables }: Scene): readonly Deployment[] {
  const rows = (tables.machine ?? []) as readonly { kind: string; state: Deployment }[];
  const states = rows.filter(({ kind }) => kind === "deployment").map(({ state }) => state);
  return states.toSorted((one, other) => epochOf(one) - epochOf(other));
}

const epochOf = (state: Deployment) => ("epochs" in state ? Math.max(0, ...Object.values(state.epochs)) : 0);

/** The regions as these deployments had left them. */
export function regionsAfter(deployments: readonly Deployment[]): readonly ScriptedCluster[] {
  const names = [...new Set(deployments.flatMap(({ plan }) => plan.regions))].sort();
  return names.map((name) => {
    const [first] = deployments.filter(({ plan }) => plan.regions.includes(name));
    const cluster = new ScriptedCluster(name, first?.plan.baselines[name] ?? null);
    for (const state of deployments) if (state.plan.regions.includes(name)) leave(cluster, state, name);
    return cluster;
  });
}

function leave(cluster: ScriptedCluster, state: Deployment, region: RegionName): void {
  const { plan, phase } = state;
  const epoch = "epochs" in state ? state.epochs[region] : undefined;
  if (epoch === undefined || (phase === "opening" && !state.opened.includes(region))) return;
  const percent = percentIn(state, region);
  const baseline = plan.baselines[region] ?? null;
  const isBack = phase === "restoring" && percent === 0;
  cluster.fence = { epoch, seq: 7, gate: isBack ? "shut" : "open", holder: plan.id };
  cluster.written = true;
  cluster.weights = weightsOf(baseline, plan.version, percent);
  cluster.recorded = { ...cluster.weights };
  if (baseline !== null) cluster.workloads.set(baseline, { desired: plan.workload.replicas, epoch: 0 });
  if (phase !== "opening" && phase !== "preparing")
    cluster.workloads.set(plan.version, { desired: plan.workload.replicas, epoch });
  if (followed(state, region)) cluster.live = plan.version;
}

function weightsOf(baseline: VersionName | null, version: VersionName, percent: number): Record<string, number> {
  return { [baseline ?? "base"]: 100 - percent, ...(percent === 0 ? {} : { [version]: percent }) };
}

function percentIn(state: Deployment, region: RegionName): number {
  if (state.phase === "watching" || state.phase === "verified") return 100;
  return state.regions[region]?.weightPercent ?? 0;
}

function followed(state: Deployment, region: RegionName): boolean {
  if (state.phase === "finishing") return state.followed.includes(region);
  return state.phase === "watching" || state.phase === "verified" || afterAll(state);
}

/** It had come to 100% before it was taken back. */
const afterAll = (state: Deployment) => state.phase === "restoring" && state.relock !== "not_needed";

/** The watches that these deployments had armed. */
export function watchesAfter(deployments: readonly Deployment[]): readonly Watched[] {
  return deployments.flatMap((state) => {
    if (!("epochs" in state) || state.phase === "opening" || state.phase === "preparing") return [];
    const { id, service, environment, version, baselines, steps, initial } = state.plan;
    const step = "step" in state ? state.step : steps.length - 1;
    const mode = initial ? "initial" : "step" in state ? "canary" : "live";
    const at = { step, weight_percent: steps[step]?.weightPercent ?? 100, mode } as const;
    return [{ id, spec: { service, environment, version, baselines, epochs: state.epochs, ...at } }];
  });
}
