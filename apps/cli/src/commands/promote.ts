import { promoteDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { count } from "../typed.ts";
import { move } from "./move.ts";

/** `slipway promote DEPLOYMENT`: to its next step. An artifact is promoted by `slipway artifacts promote`. */
export function promoteCommand(root: Command): void {
  root
    .command("promote")
    .description("end this step's bake early; never overrides a gate")
    .argument("<deployment>", "e.g. D-4")
    .option("--expected-step <step>", "refuse if it is at another step")
    .option("--reason <text>", "kept in the audit log")
    .action((id: string, own: { readonly expectedStep?: string; readonly reason?: string }) => {
      const { expectedStep, reason } = own;
      const step = expectedStep === undefined ? {} : { expected_step: count("--expected-step", expectedStep, 100) };
      return move(root, promoteDeployment, id, { ...step, ...(reason === undefined ? {} : { reason }) });
    });
}
