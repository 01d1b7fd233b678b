import type { Bus } from "@slipway/bus";
import type { RegionCluster } from "@slipway/cluster";
import { watchTopic } from "@slipway/contracts";
import { type DurableMachine, defineMachine, type Outcome } from "@slipway/durable";
import { type Clock, unreachable } from "@slipway/kernel";
import { type Watch, type WatchCommand, type WatchInput, watchMachine } from "./domain/watch.ts";
import { shutRegion } from "./shut-region.ts";

export type Ports = { readonly bus: Bus; readonly clock: Clock; cluster(region: string): Promise<RegionCluster> };

export function watchDurable(ports: Ports): DurableMachine<Watch, WatchInput, WatchCommand> {
  return defineMachine({
    machine: watchMachine,
    lane: (command) => (command.type === "Shut" ? `shut:${command.region}` : "publish"),
    urgent: (command) => command.type === "Shut",
    async perform(command, ctx): Promise<Outcome<WatchInput>> {
      switch (command.type) {
        case "Publish":
          await ports.bus.publish(watchTopic.name, [
            {
              specversion: "1.0",
              id: `watch-${ctx.commandId}`,
              source: "rollback-controller",
              type: command.event.type,
              subject: ctx.id,
              time: ports.clock.now(),
              datacontenttype: "application/json",
              data: command.event.data,
            },
          ]);
          return { kind: "done" };
        case "Shut":
          return shut(ports, command, ctx.state);
        default:
          return unreachable(command);
      }
    },
  });
}

async function shut(
  ports: Ports,
  command: Extract<WatchCommand, { type: "Shut" }>,
  state: Watch,
): Promise<Outcome<WatchInput>> {
  const { region, epoch } = command;
  if (state.phase !== "failed" || state.spec.epochs[region] !== epoch || state.shut[region] !== undefined)
    return { kind: "done" };
  const done = await shutRegion(await ports.cluster(region), state.id, state.spec, region);
  if (done.kind === "overtaken") return { kind: "done" };
  return { kind: "fact", fact: (at) => ({ type: "ShutConfirmed", region, epoch, seq: done.seq, at }) };
}
