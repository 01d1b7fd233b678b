import type { DeploymentView } from "@slipway/contracts";
import type { PendingCommand } from "@slipway/durable";
import type { Command } from "./domain/command.ts";

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
