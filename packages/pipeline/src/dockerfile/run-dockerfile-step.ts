import { join } from "node:path";
import type { ExecutorStep } from "@slipway/executor";
import { removeTree } from "../remove-tree.ts";
import type { PipelineStepResult, StepMachine, StepRun } from "../step-run.ts";
import { builderCommand, carriedSecrets, dockerfileOf } from "./command.ts";
import { writeBuilderConfig } from "./config.ts";
import { keptLines } from "./kept-lines.ts";
import { buildTrouble, outputTail } from "./trouble.ts";

export const noBuilder =
  "no Dockerfile is built here: that takes builds on Kubernetes with a BuildKit image (docs/guides/builds-on-kubernetes.md, Dockerfiles). " +
  "Or build it elsewhere: slipway artifacts add IMAGE@DIGEST (docs/guides/external-images.md)";

/** Builds the step's Dockerfile in a pod of BuildKit's own. Its workspace has the image then, and nothing else. */
export async function runDockerfileStep(machine: StepMachine, run: StepRun): Promise<PipelineStepResult> {
  const { executor, registries, toolchain } = machine;
  const { step } = run;
  const { builder } = executor;
  if (builder === undefined) return { outcome: "failed", exitCode: null, reason: noBuilder, image: null };
  const { path } = dockerfileOf(step);
  run.note(`builds ${path} by ${builder.image}`);
  const config = `${executor.toolsInside}/buildkit`;
  await removeTree(run.home);
  const cache = await keptLines(machine, { ...run, home: join(run.home, "cache") }, builder);
  const mostKept = machine.caches.mostBytes;
  const { command, env } = builderCommand(step, { builder, config, env: run.env, mostKept });
  const tail = outputTail();
  const asked: ExecutorStep = {
    ...{ registries, toolchain, network: step.network, identity: run.identity, workspace: run.workspace, builds: true },
    ...(run.run === undefined ? {} : { run: run.run, outputFrom: run.outputFrom ?? 0 }),
    ...{ command, env, secretEnv: carriedSecrets(step, run.secretEnv ?? {}), timeoutMs: step.timeout },
    mounts: [{ from: join(run.home, "buildkit"), to: config }],
    ...(cache === undefined ? {} : { kept: cache.kept }),
    onNetwork: run.note,
    onOutput: (chunk) => {
      tail.push(chunk);
      return run.onOutput(chunk);
    },
    signal: run.signal,
  };
  await writeBuilderConfig(join(run.home, "buildkit"), machine.imageRegistries);
  try {
    const result = await executor.run(asked);
    if (result.outcome === "succeeded" && !run.signal.aborted) await cache?.keep();
    const why = result.outcome === "failed" ? buildTrouble(tail.text(), { step, builder }) : undefined;
    return { ...result, ...(why === undefined ? {} : { reason: why }), image: builder.image };
  } finally {
    await removeTree(run.home);
  }
}
