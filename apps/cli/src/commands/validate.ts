import { resolve } from "node:path";
import type { Command } from "commander";
import { print } from "../output.ts";

/** `slipway validate [DIR]`: every error of slipway.yaml with its place, exactly as a build would tell them. */
export function validateCommand(root: Command): void {
  root
    .command("validate")
    .description("check slipway.yaml: all errors at once, each with file:line:column")
    .argument("[dir]", "the repository", ".")
    .action(async (dir: string) => {
      const { fileErrorText, readSlipwayFile } = await import("../read-slipway-file.ts");
      const { parsed, detected } = await readSlipwayFile(resolve(dir));
      if (parsed.kind === "errors") {
        process.exitCode = 1;
        const { errors } = parsed;
        print(root, { valid: false, errors }, errors.map(fileErrorText).join("\n"));
        return;
      }
      const { service, pipeline } = parsed.file;
      const steps = Object.keys(pipeline);
      const builds = steps.filter((name) => pipeline[name]?.uses === "dockerfile");
      const notes = builds.map(
        (name) => `note: the step ${name} builds a Dockerfile, which is done on Kubernetes alone`,
      );
      const said = [...detected, ...notes, `slipway.yaml is valid: ${service}, steps ${steps.join(", ")}`];
      print(root, { valid: true, file: parsed.file }, said.join("\n"));
    });
}
