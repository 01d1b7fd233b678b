import { approveDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { move } from "./move.ts";

/** `slipway approve DEPLOYMENT`. */
export function approveCommand(root: Command): void {
  root
    .command("approve")
    .description("approve more than 5% of production for a version that is not proven, by name")
    .argument("<deployment>", "e.g. D-4")
    .option("--reason <text>", "kept in the audit log")
    .action((id: string, own: { readonly reason?: string }) => move(root, approveDeployment, id, own));
}
