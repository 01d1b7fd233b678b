import { haltDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { type Moving, move, movingCommand } from "./move.ts";

/** `slipway halt [DEPLOYMENT|SERVICE]`. */
export function haltCommand(root: Command): void {
  movingCommand(root, "halt", "hold a deployment where it is").action((named: string | undefined, own: Moving) =>
    move(root, haltDeployment, named, own),
  );
}
