import { existsSync } from "node:fs";
import type { PipelineStep } from "@slipway/contracts";
import { runNetworkedStep, type StepResult } from "@slipway/executor";
import { freshFolder, inputsOf, stepCommand } from "@slipway/pipeline";
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
    const workspace = await freshFolder(folders.step(name), inputs);
    const result = await runLogged(world, state, { name, step, workspace, folders }, ctx);
    // Not the step's own end: the process stops, or somebody else runs it now.
    if (ctx.signal.aborted) throw new Error(`step ${name} was interrupted`);
    const { outcome, exitCode, reason = null } = result;
    return { kind: "fact", fact: (at) => ({ type: "step_finished", step: name, outcome, exitCode, reason, at }) };
  });
}

type Run = {
  readonly name: string;
  readonly step: PipelineStep;
  readonly workspace: string;
  readonly folders: BuildFolders;
};

async function runLogged(world: BuildWorld, state: BuildState, run: Run, ctx: BuildContext): Promise<StepResult> {
  const { name, step } = run;
  const again = ctx.attempt > 1 ? ` (attempt ${ctx.attempt}, from a clean workspace)` : "";
  await appendLog(world.db, state.buildId, `${name} | $ ${step.run ?? `uses ${step.uses}`}${again}\n`);
  const log = stepLog(world.db, state.buildId, `${name} | `, await secretsFor(world, state));
  const began = performance.now();
  let result: StepResult;
  try {
    const { registries, toolchain } = await world.machineTools();
    const notes: Promise<void>[] = [];
    result = await runNetworkedStep({
      ...{ network: step.network, registries, toolchain },
      onNetwork: (line) => notes.push(appendLog(world.db, state.buildId, `${name} | ${line}\n`)),
      isolation: world.isolation,
      identity: `${world.dataDir} ${state.buildId}`,
      workspace: run.workspace,
      ...stepCommand(step, world.tools, world.isolation.method !== "none"),
      env: { ...step.env, SLIPWAY_GIT_SHA: state.gitSha, SLIPWAY_STEP: name },
      timeoutMs: step.timeout,
      onOutput: (chunk) => log.write(chunk),
      signal: ctx.signal,
    });
    await log.end();
    await Promise.all(notes);
  } catch (error) {
    if (ctx.signal.aborted || ctx.attempt < mostAttempts) throw error;
    result = { outcome: "failed", exitCode: null, reason: error instanceof Error ? error.message : String(error) };
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
