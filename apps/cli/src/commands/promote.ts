import { promoteDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { count } from "../typed.ts";
import { type Moving, move, movingCommand } from "./move.ts";

/** `slipway promote [DEPLOYMENT|SERVICE]`: to its next step. An artifact is promoted by `slipway artifacts promote`. */
export function promoteCommand(root: Command): void {
  movingCommand(root, "promote", "end this step's bake early; never overrides a gate")
    .option("--expected-step <step>", "refuse if it is at another step, counted from 0")
    .action((named: string | undefined, { expectedStep, ...own }: Moving & { readonly expectedStep?: string }) => {
      const step =
        expectedStep === undefined ? {} : { expected_step: count("--expected-step", expectedStep, [0, 100]) };
      return move(root, promoteDeployment, named, { ...own, ...step });
    });
}
