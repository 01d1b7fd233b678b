import { readImageName } from "@slipway/contracts";
import type { ExecutorStep, StepResult } from "@slipway/executor";
import { imageText, OciError, type ResolvedImage, type UnpackedImage } from "@slipway/oci";
import { type CachedStep, cachedStep } from "./cache/cached-step.ts";
import { freshFolder } from "./copy-tree.ts";
import { runDockerfileStep } from "./dockerfile/run-dockerfile-step.ts";
import { removeTree } from "./remove-tree.ts";
import { stepCommand } from "./step-command.ts";
import type { PipelineStepResult, StepMachine, StepRun } from "./step-run.ts";

/** Longest wait for an image of a step. */
const imageWithinMs = 600_000;

/**
 * Runs one step as builds and `slipway run` do: a workspace made anew, what its cache has, the root that it asked for, its command, and what
 * it wants kept. An image that cannot be had fails the step and says why.
 */
export async function runPipelineStep(machine: StepMachine, run: StepRun): Promise<PipelineStepResult> {
  await freshFolder(run.workspace, run.inputs);
  if (run.step.uses === "dockerfile") return runDockerfileStep(machine, run);
  const root = await stepRoot(machine, run);
  if ("problem" in root) return { outcome: "failed", exitCode: null, reason: root.problem, image: null };
  const cache = await cachedStep(machine, run, root.identity);
  try {
    const result = await runIn(machine, run, root, cache);
    // Only a step that has done all of its work vouches for what it left.
    if (result.outcome === "succeeded" && !run.signal.aborted) await cache?.keep();
    return { ...result, image: root.image === undefined ? null : root.identity };
  } finally {
    await removeTree(run.home);
  }
}

type StepRoot = {
  /** What the step's tools are, for the keys of caches. */
  readonly identity: string;
  readonly image: Pick<UnpackedImage, "root" | "env"> | NamedRoot | undefined;
};

/** An image that the executor pulls itself, and whose environment it knows. */
type NamedRoot = { readonly reference: string };

async function stepRoot(
  { images, executor, toolchain }: StepMachine,
  { step, note, signal }: StepRun,
): Promise<StepRoot | { readonly problem: string }> {
  if (step.image === undefined) return { identity: executor.tools ?? toolchain.versions, image: undefined };
  const name = readImageName(step.image);
  if (name === undefined) return { problem: `${step.image} is not an image of a registry` };
  if (executor.method === "none")
    return { problem: `the step asks for the image ${step.image}, and steps are not isolated here: allow isolation` };
  const within = AbortSignal.any([signal, AbortSignal.timeout(imageWithinMs)]);
  try {
    const resolved = await images.resolve(name, within);
    note(`image ${imageText(name)} is ${resolved.digest}`);
    const identity = pinned(resolved);
    if (executor.imagesBy === "name") return { identity, image: { reference: referenceOf(resolved) } };
    return { identity, image: await images.unpack(resolved, within) };
  } catch (error) {
    if (signal.aborted || !(error instanceof OciError)) throw error;
    return { problem: error.message };
  }
}

/** The name that an image was asked for by, and the digest that it had: `node:24@sha256:…`. */
export function pinned({ name, digest }: ResolvedImage): string {
  return `${imageText({ ...name, digest: undefined })}@${digest}`;
}

/** As a cluster's nodes understand it: every part said. */
function referenceOf({ name: { host, repository }, digest }: ResolvedImage): string {
  return `${host}/${repository}@${digest}`;
}

async function runIn(
  machine: StepMachine,
  run: StepRun,
  { image }: StepRoot,
  cache: CachedStep | undefined,
): Promise<StepResult> {
  const { executor, registries, toolchain, tools } = machine;
  const { step } = run;
  return executor.run({
    ...{ registries, toolchain, network: step.network, identity: run.identity, workspace: run.workspace },
    ...(run.run === undefined ? {} : { run: run.run, outputFrom: run.outputFrom ?? 0 }),
    ...(cache?.usesHome === true ? { home: run.home } : {}),
    ...rootOf(image),
    ...stepCommand(step, tools, executor.method === "none" ? undefined : executor.toolsInside),
    env: { ...envOf(image), ...step.env, ...run.env },
    secretEnv: run.secretEnv ?? {},
    timeoutMs: step.timeout,
    onNetwork: run.note,
    onOutput: run.onOutput,
    signal: run.signal,
  });
}

function rootOf(image: StepRoot["image"]): Pick<ExecutorStep, "root" | "image"> {
  if (image === undefined) return {};
  return "root" in image ? { root: image.root } : { image: image.reference };
}

function envOf(image: StepRoot["image"]): Readonly<Record<string, string>> {
  if (image === undefined || !("env" in image)) return {};
  // A home of an image is its root's, which may not be written to.
  const { HOME: _home, ...env } = image.env;
  return env;
}
