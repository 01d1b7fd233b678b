import { existsSync } from "node:fs";
import { type PipelineStep, ProblemError, type SlipwayFile } from "@slipway/contracts";
import { inputsOf, type PipelineStepResult, runPipelineStep } from "@slipway/pipeline";
import { buildScope, maskerFor } from "@slipway/secrets";
import type { BuildContext, BuildOutcome, BuildWorld } from "./build-world.ts";
import type { BuildState } from "./domain/state.ts";
import { secretsOf } from "./effects-checkout.ts";
import { type BuildFolders, buildFolders } from "./folders.ts";
import { appendLog, outputTaken, stepLog } from "./log-store.ts";
import { parseRepositoryUrl } from "./repository-url.ts";
import { buildIdentity, endedBefore, noteEnd, releaseRun, runOf } from "./step-runs.ts";
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
  const file = parsed?.kind === "file" ? parsed.file : undefined;
  const step = file?.pipeline[name];
  const folders = buildFolders(world.dataDir, state.buildId);
  const inputs = [folders.source, ...inputsOf(state.plan, name).map(folders.step)];
  if (file === undefined || step === undefined || inputs.some((input) => !existsSync(input))) return workspaceLost();
  const runName = await runOf(world, folders, { buildId: state.buildId, name });
  return world.stepSlots.use(ctx.signal, async () => {
    const known = await endedBefore(folders, name);
    const result = known ?? (await runLogged(world, state, { name, step, inputs, folders, file, runName }, ctx));
    if (known === undefined) {
      // Not the step's own end: the process stops, or somebody else runs it now.
      if (ctx.signal.aborted) throw new Error(`step ${name} was interrupted`);
      await noteEnd(folders, name, result);
    }
    if (runName !== undefined) await releaseRun(world, runName, ctx);
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
  readonly file: SlipwayFile;
  readonly runName: string | undefined;
};

async function runLogged(world: BuildWorld, state: Running, run: Run, ctx: BuildContext): Promise<PipelineStepResult> {
  const { name, step } = run;
  const secrets = await secretsFor(world, state, run.file);
  const masked = maskerFor(secrets);
  const note = (text: string): Promise<void> => appendLog(world.db, state.buildId, `${name} | ${masked(text)}\n`);
  const how = run.runName === undefined ? ", from a clean workspace" : "";
  const again = ctx.attempt > 1 ? ` (attempt ${ctx.attempt}${how})` : "";
  await note(`$ ${step.run ?? `uses ${step.uses}`}${again}`);
  const began = performance.now();
  let result: PipelineStepResult;
  try {
    const secretEnv = await secretEnvOf(world, state, step);
    result =
      "problem" in secretEnv
        ? refused(secretEnv.problem)
        : await runStep(world, state, run, ctx, { secrets, secretEnv, note });
  } catch (error) {
    if (ctx.signal.aborted || ctx.attempt < mostAttempts) throw error;
    result = refused(error instanceof Error ? error.message : String(error));
  }
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  // A reason names hosts that the step asked for, and so whatever it made a host's name of.
  if (result.reason !== undefined) result = { ...result, reason: masked(result.reason) };
  const why = result.reason === undefined ? "" : ` (${result.reason})`;
  await note(`${result.outcome.replace("_", " ")} after ${seconds} s${why}`);
  return result;
}

type Logged = {
  /** What its output must not show. */
  readonly secrets: readonly string[];
  readonly secretEnv: Readonly<Record<string, string>>;
  readonly note: (text: string) => Promise<void>;
};

async function runStep(
  world: BuildWorld,
  state: Running,
  { name, step, inputs, folders, runName }: Run,
  ctx: BuildContext,
  logged: Logged,
): Promise<PipelineStepResult> {
  const { executor, tools, images, imageRegistries, caches } = world;
  // Package managers take seconds to say where they look: only a step that may go there waits for them.
  const registries = step.network === "none" ? { hosts: [], env: {} } : await world.registries();
  const machine = { registries, toolchain: await world.toolchain(), executor, tools, images, imageRegistries, caches };
  const from = runName === undefined ? undefined : await outputTaken(world.db, state.buildId, runName);
  const log = stepLog(world.db, state.buildId, { prefix: `${name} | `, secrets: logged.secrets, from });
  const notes: Promise<void>[] = [];
  const result = await runPipelineStep(machine, {
    ...{ service: state.service, name, step, inputs },
    identity: buildIdentity(world, state.buildId),
    ...(from === undefined ? {} : { run: from.run, outputFrom: from.bytes }),
    workspace: folders.step(name),
    home: folders.home(name),
    env: {
      ...{ SLIPWAY_GIT_SHA: state.gitSha, SLIPWAY_STEP: name },
      // What packers write as the time of their files: the same commit, the same bytes.
      SOURCE_DATE_EPOCH: String(Math.floor(Date.parse(state.committedAt) / 1_000)),
    },
    secretEnv: logged.secretEnv,
    note: (line) => void notes.push(logged.note(line)),
    onOutput: (chunk) => log.write(chunk),
    signal: ctx.signal,
  });
  await log.end();
  await Promise.all(notes);
  return result;
}

function refused(reason: string): PipelineStepResult {
  return { outcome: "failed", exitCode: null, reason, image: null };
}

/** The variables of this step, or why it cannot be given them: that no other attempt would mend. */
async function secretEnvOf(world: BuildWorld, { service }: BuildState, { secrets: names }: PipelineStep) {
  if (names.length === 0) return {};
  const scope = { service, scope: buildScope };
  try {
    return await world.secrets.read(scope, await world.secrets.revisions(scope, names));
  } catch (error) {
    if (!(error instanceof ProblemError) || !error.code.startsWith("secret.")) throw error;
    return { problem: error.remedy === undefined ? error.message : `${error.message} ${error.remedy}` };
  }
}

/** What no step may print: a file may carry what another step was given. */
async function secretsFor(world: BuildWorld, state: BuildState, file: SlipwayFile): Promise<string[]> {
  const names = [...new Set(Object.values(file.pipeline).flatMap((step) => step.secrets))];
  const values = await world.secrets.everyValue({ service: state.service, scope: buildScope }, names);
  const given = [...values, ...passwordsFor(world, file)];
  const row = await repositoryOf(world.db, state.service);
  const repository = row === undefined ? undefined : parseRepositoryUrl(row.url, true);
  if (row === undefined || repository === undefined || "problem" in repository) return [world.token, ...given];
  return [...secretsOf(world, row, repository), ...given];
}

/** Whoever builds a Dockerfile has what opens the registries. */
function passwordsFor({ imageRegistries }: BuildWorld, { pipeline }: SlipwayFile): string[] {
  if (!Object.values(pipeline).some(({ uses }) => uses === "dockerfile")) return [];
  return Object.values(imageRegistries).flatMap(({ auth }) => auth?.password ?? []);
}
