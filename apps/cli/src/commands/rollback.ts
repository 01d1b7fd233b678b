import { rollbackDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { type Moving, move, movingCommand } from "./move.ts";

/** `slipway rollback [DEPLOYMENT|SERVICE]`. */
export function rollbackCommand(root: Command): void {
  movingCommand(root, "rollback", "take a deployment's version back everywhere").action(
    (named: string | undefined, own: Moving) => move(root, rollbackDeployment, named, own, { live: true }),
  );
}
