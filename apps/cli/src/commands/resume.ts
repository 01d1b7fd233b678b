import { resumeDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { type Moving, move, movingCommand } from "./move.ts";

/** `slipway resume [DEPLOYMENT|SERVICE]`. */
export function resumeCommand(root: Command): void {
  movingCommand(root, "resume", "go on after a halt").action((named: string | undefined, own: Moving) =>
    move(root, resumeDeployment, named, own),
  );
}
