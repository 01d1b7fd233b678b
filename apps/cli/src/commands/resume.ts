import { resumeDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { move } from "./move.ts";

/** `slipway resume DEPLOYMENT`. */
export function resumeCommand(root: Command): void {
  root
    .command("resume")
    .description("go on after a halt")
    .argument("<deployment>", "e.g. D-4")
    .option("--reason <text>", "kept in the audit log")
    .action((id: string, own: { readonly reason?: string }) => move(root, resumeDeployment, id, own));
}
