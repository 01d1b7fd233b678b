import { readImageName } from "@slipway/contracts";
import { runNetworkedStep, type StepResult } from "@slipway/executor";
import { imageText, OciError, type ResolvedImage, type UnpackedImage } from "@slipway/oci";
import { type CachedStep, cachedStep } from "./cache/cached-step.ts";
import { freshFolder } from "./copy-tree.ts";
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
  readonly image: UnpackedImage | undefined;
};

async function stepRoot(
  { images, isolation, toolchain }: StepMachine,
  { step, note, signal }: StepRun,
): Promise<StepRoot | { readonly problem: string }> {
  if (step.image === undefined) return { identity: toolchain.versions, image: undefined };
  const name = readImageName(step.image);
  if (name === undefined) return { problem: `${step.image} is not an image of a registry` };
  if (isolation.method === "none")
    return { problem: `the step asks for the image ${step.image}, and steps are not isolated here: allow isolation` };
  const within = AbortSignal.any([signal, AbortSignal.timeout(imageWithinMs)]);
  try {
    const resolved = await images.resolve(name, within);
    note(`image ${imageText(name)} is ${resolved.digest}`);
    return { identity: pinned(resolved), image: await images.unpack(resolved, within) };
  } catch (error) {
    if (signal.aborted || !(error instanceof OciError)) throw error;
    return { problem: error.message };
  }
}

/** The name that an image was asked for by, and the digest that it had: `node:24@sha256:…`. */
export function pinned({ name, digest }: ResolvedImage): string {
  return `${imageText({ ...name, digest: undefined })}@${digest}`;
}

async function runIn(
  machine: StepMachine,
  run: StepRun,
  { image }: StepRoot,
  cache: CachedStep | undefined,
): Promise<StepResult> {
  const { isolation, registries, toolchain, tools } = machine;
  const { step } = run;
  const home = cache?.usesHome === true ? { home: run.home } : {};
  // A home of an image is its root's, which may not be written to.
  const { HOME: _home, ...imageEnv } = image?.env ?? {};
  return runNetworkedStep({
    ...{ isolation, registries, toolchain, network: step.network, identity: run.identity, workspace: run.workspace },
    ...home,
    ...(image === undefined ? {} : { root: image.root }),
    ...stepCommand(step, tools, isolation.method !== "none"),
    env: { ...imageEnv, ...step.env, ...run.env },
    secretEnv: run.secretEnv ?? {},
    timeoutMs: step.timeout,
    onNetwork: run.note,
    onOutput: run.onOutput,
    signal: run.signal,
  });
}
