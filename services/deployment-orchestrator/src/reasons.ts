import type { DeploymentView } from "@slipway/contracts";
import type { PendingCommand } from "@slipway/durable";
import type { Instant } from "@slipway/kernel";
import type { Command } from "./domain/command.ts";
import { waitingForImage } from "./domain/image-wait.ts";

/** A deployment that has no lock yet may wait for its image first; else what it waits for is what its state says. */
export function waitingOfAccepted(
  {
    phase,
    waiting,
    createdAt,
  }: { readonly phase: string; readonly waiting: DeploymentView["waiting"]; readonly createdAt: Instant },
  pending: readonly PendingCommand<Command>[],
): DeploymentView["waiting"] {
  const image = pending.find(({ command }) => command.type === "AwaitImage");
  return phase === "accepted" && image !== undefined ? waitingForImage(image.lastReason, createdAt) : waiting;
}

/** Says with each region why its command has not been carried out yet: a region that does not answer is seen, not guessed. */
export function withReasons(view: DeploymentView, pending: readonly PendingCommand<Command>[]): DeploymentView {
  const regions = { ...view.regions };
  for (const { command, lastReason, attempts } of pending) {
    const region = "region" in command ? regions[command.region] : undefined;
    if (region === undefined || lastReason === null || !("region" in command)) continue;
    regions[command.region] = { ...region, reason: `${command.type}, attempt ${attempts}: ${lastReason}` };
  }
  return { ...view, regions };
}
