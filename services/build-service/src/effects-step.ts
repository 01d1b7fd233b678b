import { existsSync } from "node:fs";
import type { PipelineStep } from "@slipway/contracts";
import { inputsOf, type PipelineStepResult, runPipelineStep } from "@slipway/pipeline";
import type { BuildContext, BuildOutcome, BuildWorld } from "./build-world.ts";
import type { BuildState } from "./domain/state.ts";
import { secretsOf } from "./effects-checkout.ts";
import { type BuildFolders, buildFolders } from "./folders.ts";
import { appendLog, stepLog } from "./log-store.ts";
import { parseRepositoryUrl } from "./repository-url.ts";
import { repositoryOf } from "./store.ts";
import { readSlipwayFile, workspaceLost } from "./workspaces.ts";

const mostAttempts = 3;

/** Runs one step in a workspace made anew: the commit's files and what the steps it needs have made. */
export async function runBuildStep(
  world: BuildWorld,
  state: BuildState,
  name: string,
  ctx: BuildContext,
): Promise<BuildOutcome> {
  if (state.phase !== "running") return { kind: "done" };
  const parsed = await readSlipwayFile(world, state);
  const step = parsed?.kind === "file" ? parsed.file.pipeline[name] : undefined;
  const folders = buildFolders(world.dataDir, state.buildId);
  const inputs = [folders.source, ...inputsOf(state.plan, name).map(folders.step)];
  if (step === undefined || inputs.some((input) => !existsSync(input))) return workspaceLost();
  return world.stepSlots.use(ctx.signal, async () => {
    const result = await runLogged(world, state, { name, step, inputs, folders }, ctx);
    // Not the step's own end: the process stops, or somebody else runs it now.
    if (ctx.signal.aborted) throw new Error(`step ${name} was interrupted`);
    const { outcome, exitCode, reason = null, image } = result;
    return {
      kind: "fact",
      fact: (at) => ({ type: "step_finished", step: name, outcome, exitCode, reason, image, at }),
    };
  });
}

type Running = Extract<BuildState, { phase: "running" }>;

type Run = {
  readonly name: string;
  readonly step: PipelineStep;
  readonly inputs: readonly string[];
  readonly folders: BuildFolders;
};

async function runLogged(world: BuildWorld, state: Running, run: Run, ctx: BuildContext): Promise<PipelineStepResult> {
  const { name, step, folders } = run;
  const again = ctx.attempt > 1 ? ` (attempt ${ctx.attempt}, from a clean workspace)` : "";
  await appendLog(world.db, state.buildId, `${name} | $ ${step.run ?? `uses ${step.uses}`}${again}\n`);
  const log = stepLog(world.db, state.buildId, `${name} | `, await secretsFor(world, state));
  const began = performance.now();
  let result: PipelineStepResult;
  try {
    const { isolation, tools, images, caches } = world;
    const notes: Promise<void>[] = [];
    // Package managers take seconds to say where they look: only a step that may go there waits for them.
    const registries = step.network === "none" ? { hosts: [], env: {} } : await world.registries();
    const machine = { registries, toolchain: await world.toolchain(), isolation, tools, images, caches };
    result = await runPipelineStep(machine, {
      ...{ service: state.service, name, step, inputs: run.inputs },
      identity: `${world.dataDir} ${state.buildId}`,
      workspace: folders.step(name),
      home: folders.home(name),
      env: {
        ...{ SLIPWAY_GIT_SHA: state.gitSha, SLIPWAY_STEP: name },
        // What packers write as the time of their files: the same commit, the same bytes.
        SOURCE_DATE_EPOCH: String(Math.floor(Date.parse(state.committedAt) / 1_000)),
      },
      note: (line) => void notes.push(appendLog(world.db, state.buildId, `${name} | ${line}\n`)),
      onOutput: (chunk) => log.write(chunk),
      signal: ctx.signal,
    });
    await log.end();
    await Promise.all(notes);
  } catch (error) {
    if (ctx.signal.aborted || ctx.attempt < mostAttempts) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    result = { outcome: "failed", exitCode: null, reason, image: null };
  }
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  const why = result.reason === undefined ? "" : ` (${result.reason})`;
  await appendLog(world.db, state.buildId, `${name} | ${result.outcome.replace("_", " ")} after ${seconds} s${why}\n`);
  return result;
}

async function secretsFor(world: BuildWorld, state: BuildState): Promise<string[]> {
  const row = await repositoryOf(world.db, state.service);
  const repository = row === undefined ? undefined : parseRepositoryUrl(row.url, true);
  if (row === undefined || repository === undefined || "problem" in repository) return [world.token];
  return secretsOf(world, row, repository);
}
