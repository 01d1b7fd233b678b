import { haltDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { move } from "./move.ts";

/** `slipway halt DEPLOYMENT`. */
export function haltCommand(root: Command): void {
  root
    .command("halt")
    .description("hold a deployment where it is")
    .argument("<deployment>", "e.g. D-4")
    .option("--reason <text>", "kept in the audit log")
    .action((id: string, own: { readonly reason?: string }) => move(root, haltDeployment, id, own));
}
