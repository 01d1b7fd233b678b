import { regionTopic } from "@slipway/contracts";
import type { RegionName } from "@slipway/kernel";
import { approvedIn } from "../domain/approved.ts";
import type { Command } from "../domain/command.ts";
import type { Plan } from "../domain/deployment.ts";
import { type Context, currentState, type Ports, type Result } from "./ports.ts";

type Of<T extends Command["type"]> = Extract<Command, { type: T }>;

/** Back to what is approved now, which may be another weight than when the raise was seen; on the way down lowering does it. */
export async function repairWeight(ports: Ports, command: Of<"RepairWeight">, ctx: Context): Result {
  const state = await currentState(ctx);
  const { region, epoch } = command;
  const approved = approvedIn(state, region);
  if (approved === null || approved.gate === "any" || approved.epoch !== epoch) return { kind: "done" };
  const { plan } = state;
  const cluster = await ports.regions.cluster(region);
  const baseline = plan.baselines[region] ?? null;
  await cluster.repair(plan, { epoch, deployment: plan.id, baseline, canary: plan.version, percent: approved.most });
  return { kind: "done" };
}

export async function tellDrift(ports: Ports, command: Of<"TellDrift">, ctx: Context): Result {
  const { plan } = await currentState(ctx);
  await reportDrift(ports, plan, { ...command, key: ctx.commandId });
  return { kind: "done" };
}

export type DriftReport = {
  readonly region: RegionName;
  readonly what: string;
  readonly by: string;
  /** The same finding has the same key: it is told and audited once. */
  readonly key: string;
};

/** The event `region.drift_seen` and the audit entry of one change by hand. */
export async function reportDrift(
  ports: Pick<Ports, "bus" | "clock" | "audit">,
  { id, service, environment }: Pick<Plan, "id" | "service" | "environment">,
  { region, what, by, key }: DriftReport,
): Promise<void> {
  const at = ports.clock.now();
  const detail = { service, environment, region, what };
  await ports.audit(key, { actor: by, action: "region.drift", subject: id, detail, at });
  await ports.bus.publish(regionTopic.name, [
    {
      ...{ specversion: "1.0", id: `drift-${key}`, source: "deployment-orchestrator", type: "region.drift_seen" },
      ...{ subject: region, time: at, datacontenttype: "application/json" },
      data: { region, service, environment, what, at },
    },
  ]);
}
