import { resolve } from "node:path";
import type { Command } from "commander";
import { note } from "../note.ts";
import { print, say, wantsJson } from "../output.ts";
import { count } from "../typed.ts";

/** `slipway run [DIR]`: the pipeline of the working tree, here, under the same isolation as a build. */
export function runCommand(root: Command): void {
  root
    .command("run")
    .description("run the pipeline here, on a copy of the working tree, isolated as a build is")
    .argument("[dir]", "the repository", ".")
    .option("--jobs <count>", "steps that run at once", "4")
    .option("--no-isolation", "run the steps unprotected")
    .action(async (dir: string, own: { jobs: string; isolation: boolean }) => {
      const folder = resolve(dir);
      const places = count("--jobs", own.jobs, [1, 1_000]);
      const { fileErrorText, readSlipwayFile } = await import("../read-slipway-file.ts");
      const { parsed, detected } = await readSlipwayFile(folder);
      if (parsed.kind === "errors") {
        process.exitCode = 1;
        print(root, { succeeded: false, errors: parsed.errors }, parsed.errors.map(fileErrorText).join("\n"));
        return;
      }
      // Images and isolation are of no use to the other commands, which answer faster without them.
      const { runPipeline } = await import("../run/run-pipeline.ts");
      // With --json only the report is on stdout.
      const tell = wantsJson(root) ? note : (line: string) => say(`${line}\n`);
      for (const line of detected) tell(`slipway | ${line}`);
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
      const report = await runPipeline({
        ...{ folder, file: parsed.file, isolate: own.isolation, places, signal: stop.signal },
        print: tell,
      });
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      process.exitCode = report.succeeded ? 0 : 1;
      const said = Object.entries(report.steps).map(([name, { state }]) => `${name} ${state.replace("_", " ")}`);
      print(root, report, `slipway | ${report.succeeded ? "succeeded" : "failed"}: ${said.join(", ")}`);
    });
}
