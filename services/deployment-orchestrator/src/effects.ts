import type { Bus } from "@slipway/bus";
import type { Client } from "@slipway/client";
import type { Regions } from "@slipway/cluster";
import { deploymentTopic } from "@slipway/contracts";
import { type CommandContext, type DurableMachine, defineMachine, type Outcome } from "@slipway/durable";
import { type Clock, unreachable, type VersionName } from "@slipway/kernel";
import type { Locks } from "@slipway/lock";
import type { Command } from "./domain/command.ts";
import { deploymentMachine } from "./domain/decide.ts";
import type { Deployment } from "./domain/deployment.ts";
import type { Input } from "./domain/input.ts";
import { acquireLock, tellReplaced } from "./effects/lock.ts";
import { follow, lowerWeight, openFence, raiseWeight } from "./effects/traffic.ts";
import { armWatch, checkWatch } from "./effects/watch.ts";
import { drainAndRetire, prepareWorkload } from "./effects/workload.ts";

/** What the effects reach: the only place of this service that touches ports. */
export type Ports = {
  readonly regions: Regions;
  readonly locks: Locks;
  readonly bus: Bus;
  readonly client: Client;
  readonly clock: Clock;
  /** Sends a fact to another deployment. */
  send(id: string, input: (now: Input["now"]) => Input): Promise<void>;
  /** Ids of deployments in these phases that share a target with this one, itself left out. */
  sharing(state: Deployment, phases: readonly Deployment["phase"][]): Promise<readonly string[]>;
  /** What deployments that are watched at 100% and share a target with this one would be rolled back to. */
  wayBack(state: Deployment): Promise<readonly VersionName[]>;
};

export type Context = CommandContext<Deployment>;
export type Result = Promise<Outcome<Input>>;

export function deploymentDurable(ports: Ports): DurableMachine<Deployment, Input, Command> {
  return defineMachine({
    machine: deploymentMachine,
    lane: laneOf,
    runAfter: (command) => ("at" in command && command.at !== null ? command.at : undefined),
    survives: (command) =>
      command.type === "Publish" || command.type === "ReleaseLock" || command.type === "TellReplaced",
    perform: (command, ctx) => perform(ports, command, ctx),
  });
}

/** One lane per region, so that a region that does not answer holds up itself alone; lowering has a lane of its own everywhere. */
function laneOf(command: Command): string {
  switch (command.type) {
    case "LowerWeight":
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
    case "ReleaseLock":
    case "TellReplaced":
      return "lock";
    case "WakeAt":
      return "timer";
    case "Publish":
      return "publish";
    default:
      return unreachable(command);
  }
}

async function perform(ports: Ports, command: Command, ctx: Context): Result {
  switch (command.type) {
    case "AcquireLock":
      return acquireLock(ports, command, ctx);
    case "ReleaseLock":
      await ports.locks.release(command.holder);
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
    case "Follow":
      return follow(ports, command, ctx);
    case "DrainAndRetire":
      return drainAndRetire(ports, command, ctx);
    case "WakeAt":
      return { kind: "fact", fact: (now) => ({ type: "TimeReached", purpose: command.purpose, now }) };
    case "Publish":
      await publish(ports, command, ctx);
      return { kind: "done" };
    default:
      return unreachable(command);
  }
}

async function publish(ports: Ports, command: Extract<Command, { type: "Publish" }>, ctx: Context): Promise<void> {
  const { type, data } = command.event;
  await ports.bus.publish(deploymentTopic.name, [
    {
      specversion: "1.0",
      id: `deployment-${ctx.commandId}`,
      source: "deployment-orchestrator",
      type,
      subject: ctx.id,
      time: ports.clock.now(),
      datacontenttype: "application/json",
      data,
    },
  ]);
}

/** The deployment as it stands; an effect without its row has nothing to do. */
export async function currentState(ctx: Context): Promise<Deployment> {
  const row = await ctx.current();
  if (row === undefined) throw new Error(`${ctx.id} has no row`);
  return row.state;
}
