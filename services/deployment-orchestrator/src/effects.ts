import { deploymentTopic } from "@slipway/contracts";
import { type DurableMachine, defineMachine } from "@slipway/durable";
import { unreachable } from "@slipway/kernel";
import { observedReason } from "./behind.ts";
import { type Command, timeReached } from "./domain/command.ts";
import { deploymentMachine } from "./domain/decide.ts";
import type { Deployment } from "./domain/deployment.ts";
import type { Input } from "./domain/input.ts";
import { drainAndRetire } from "./effects/drain.ts";
import { repairWeight, tellDrift } from "./effects/drift.ts";
import { awaitImage } from "./effects/image.ts";
import { acquireLock, tellReplaced } from "./effects/lock.ts";
import { type Context, currentState, type Ports, type Result } from "./effects/ports.ts";
import { follow, lowerWeight, openFence, raiseWeight } from "./effects/traffic.ts";
import { armWatch, checkWatch } from "./effects/watch.ts";
import { prepareWorkload } from "./effects/workload.ts";
import { eventOf } from "./event-of.ts";

export type { Ports };

export function deploymentDurable(ports: Ports): DurableMachine<Deployment, Input, Command> {
  return defineMachine({
    machine: deploymentMachine,
    lane: laneOf,
    runAfter: (command) => ("at" in command && command.at !== null ? command.at : undefined),
    survives: (command) =>
      command.type === "Publish" ||
      command.type === "ReleaseLock" ||
      command.type === "TellReplaced" ||
      command.type === "RepairWeight" ||
      command.type === "TellDrift" ||
      command.type === "AuditTakeBack",
    urgent: isUrgent,
    perform: (command, ctx) => perform(ports, command, ctx),
  });
}

/** Rollback comes first: what takes weight back never waits for a slot that slow work has. */
function isUrgent(command: Command): boolean {
  return command.type === "LowerWeight" || (command.type === "AcquireLock" && command.preempt);
}

/** One lane per region, so that a region that does not answer holds up itself alone; what is urgent has lanes of its own everywhere. */
function laneOf(command: Command): string {
  switch (command.type) {
    case "LowerWeight":
    case "RepairWeight":
      return `abort:${command.region}`;
    case "OpenFence":
    case "PrepareWorkload":
    case "RaiseWeight":
    case "Follow":
    case "DrainAndRetire":
      return `region:${command.region}`;
    case "ArmWatch":
    case "CheckWatch":
      return "watch";
    case "AcquireLock":
      return command.preempt ? "relock" : "lock";
    case "AwaitImage":
    case "ReleaseLock":
    case "ReleaseRegion":
    case "TellReplaced":
      return "lock";
    case "WakeAt":
      return "timer";
    case "Publish":
    case "TellDrift":
      return "publish";
    case "AuditTakeBack":
      return "audit";
    default:
      return unreachable(command);
  }
}

/** What would raise, or would lead to it, waits while the regions know of newer grants than this database; lowering does not. */
const gated: readonly Command["type"][] = [
  "AcquireLock",
  "OpenFence",
  "PrepareWorkload",
  "RaiseWeight",
  "Follow",
  "DrainAndRetire",
];

async function perform(ports: Ports, command: Command, ctx: Context): Result {
  const reason = gated.includes(command.type) ? await observing(ports, command, ctx) : undefined;
  if (reason !== undefined) return { kind: "retry", afterMs: 2_000, reason };
  return performNow(ports, command, ctx);
}

async function observing(ports: Ports, command: Command, ctx: Context): Promise<string | undefined> {
  const { plan } = await currentState(ctx);
  const here = "region" in command ? [command.region] : plan.regions;
  const found = (await ports.behind.observed(plan)).find(({ region }) => here.includes(region));
  return found === undefined ? undefined : `${observedReason(found)}; \`slipway restore accept\` goes on from there`;
}

async function performNow(ports: Ports, command: Command, ctx: Context): Result {
  switch (command.type) {
    case "AwaitImage":
      return awaitImage(ports, ctx);
    case "AcquireLock":
      return acquireLock(ports, command, ctx);
    case "ReleaseLock":
      await ports.locks.release(command.holder);
      return { kind: "done" };
    case "ReleaseRegion":
      await ports.locks.release(command.holder, [command.region]);
      return { kind: "done" };
    case "TellReplaced":
      return tellReplaced(ports, ctx);
    case "OpenFence":
      return openFence(ports, command, ctx);
    case "PrepareWorkload":
      return prepareWorkload(ports, command, ctx);
    case "ArmWatch":
      return armWatch(ports, command, ctx);
    case "CheckWatch":
      return checkWatch(ports, command, ctx);
    case "RaiseWeight":
      return raiseWeight(ports, command, ctx);
    case "LowerWeight":
      return lowerWeight(ports, command, ctx);
    case "RepairWeight":
      return repairWeight(ports, command, ctx);
    case "TellDrift":
      return tellDrift(ports, command, ctx);
    case "AuditTakeBack": {
      const { actor, detail, decidedAt: at } = command;
      await ports.audit(ctx.commandId, { actor, action: "deployment.rollback", subject: ctx.id, detail, at });
      return { kind: "done" };
    }
    case "Follow":
      return follow(ports, command, ctx);
    case "DrainAndRetire":
      return drainAndRetire(ports, command, ctx);
    case "WakeAt":
      return { kind: "fact", fact: (now) => timeReached(command, now) };
    case "Publish":
      await publish(ports, command, ctx);
      return { kind: "done" };
    default:
      return unreachable(command);
  }
}

async function publish(ports: Ports, command: Extract<Command, { type: "Publish" }>, ctx: Context): Promise<void> {
  const event = eventOf(command.event, `deployment-${ctx.commandId}`, ports.clock.now());
  await ports.bus.publish(deploymentTopic.name, [event]);
}
