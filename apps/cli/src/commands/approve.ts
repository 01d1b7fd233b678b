import { approveDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { type Moving, move, movingCommand } from "./move.ts";

/** `slipway approve [DEPLOYMENT|SERVICE]`. */
export function approveCommand(root: Command): void {
  movingCommand(root, "approve", "approve more than 5% of production for a version that is not proven, by name").action(
    (named: string | undefined, own: Moving) => move(root, approveDeployment, named, own, { done: "approved: " }),
  );
}
