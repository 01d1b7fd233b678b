import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PipelineStep, SlipwayFile } from "@slipway/contracts";
import { findRegistries, findToolchain, machineExecutor, probeIsolation, type StepResult } from "@slipway/executor";
import { userCache } from "@slipway/host";
import { openImageSource } from "@slipway/oci";
import {
  type ImageRegistries,
  inputsOf,
  installTools,
  openStepCaches,
  parseImageRegistries,
  removeTree,
  runPipelineStep,
  type StepMachine,
} from "@slipway/pipeline";
import { Unusable } from "../exit-codes.ts";
import { inOrder, type StepEnd } from "./in-order.ts";
import { prefixedLines } from "./prefixed-lines.ts";
import { copyWorkingTree } from "./working-tree.ts";

export type RunOptions = {
  readonly folder: string;
  readonly file: SlipwayFile;
  readonly isolate: boolean;
  /** Steps at once. */
  readonly places: number;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
};

export type StepReport = { readonly state: StepEnd; readonly exit_code: number | null; readonly ms: number };
export type RunReport = { readonly succeeded: boolean; readonly isolation: string } & {
  readonly steps: Readonly<Record<string, StepReport>>;
};

type Place = { readonly folder: string; readonly machine: StepMachine };

/** As the build service's default. */
const cacheBytes = 2_048 * 1_048_576;

/** Runs the pipeline of a working tree as the build service would, in folders of its own that are gone afterwards. */
export async function runPipeline(options: RunOptions): Promise<RunReport> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-run-"));
  const imageRegistries = registriesOfCaller();
  const images = openImageSource({ into: join(keptFolder(), "images"), access: (host) => imageRegistries[host] });
  try {
    const isolation = await probeIsolation({ method: options.isolate ? "auto" : "none", workFolder: folder });
    if (isolation.kind === "refused") throw new Unusable(`${isolation.reason}\n${isolation.remedy}`);
    options.print(`slipway | isolation: ${isolation.description}`);
    await copyWorkingTree(options.folder, join(folder, "source"));
    const near = dirname(fileURLToPath(import.meta.url));
    const configured = process.env.SLIPWAY_BUILD_TOOLS;
    const tools = await installTools({ configured, near, into: join(folder, "tools") });
    const asked = Object.values(options.file.pipeline).some((step) => step.network !== "none");
    const registries = asked ? await findRegistries() : { hosts: [], env: {} };
    const toolchain = await findToolchain([dirname(process.argv[1] ?? process.execPath)]);
    const caches = openStepCaches({ dir: join(keptFolder(), "steps"), maxBytes: cacheBytes });
    const machine = {
      executor: machineExecutor(isolation),
      tools,
      registries,
      toolchain,
      images,
      imageRegistries,
      caches,
    };
    return await runSteps(options, { folder, machine });
  } finally {
    await images.close();
    await removeTree(folder);
  }
}

/** Where images and what steps keep stay between runs. */
const keptFolder = () => userCache("run");

function registriesOfCaller(): ImageRegistries {
  try {
    return parseImageRegistries(process.env.SLIPWAY_IMAGE_REGISTRIES ?? "");
  } catch (error) {
    throw new Unusable(error instanceof Error ? error.message : String(error));
  }
}

async function runSteps(options: RunOptions, place: Place): Promise<RunReport> {
  const plan = Object.entries(options.file.pipeline).map(([name, { needs }]) => ({ name, needs }));
  const results: Record<string, StepResult & { readonly ms: number }> = {};
  const stepFolder = (name: string) => join(place.folder, "steps", name);
  const ends = await inOrder(plan, options.places, async (name) => {
    const inputs = [join(place.folder, "source"), ...inputsOf(plan, name).map(stepFolder)];
    const began = performance.now();
    const result = await runOne(options, place, { name, workspace: stepFolder(name), inputs });
    const ms = Math.round(performance.now() - began);
    results[name] = { ...result, ms };
    const why = result.reason === undefined ? "" : ` (${result.reason})`;
    options.print(`${name} | ${result.outcome.replace("_", " ")} after ${(ms / 1_000).toFixed(1)} s${why}`);
    return result.outcome;
  });
  const steps = Object.entries(ends).map(([name, state]): [string, StepReport] => [
    name,
    { state, exit_code: results[name]?.exitCode ?? null, ms: results[name]?.ms ?? 0 },
  ]);
  const succeeded = Object.values(ends).every((end) => end === "succeeded");
  return { succeeded, isolation: place.machine.executor.description, steps: Object.fromEntries(steps) };
}

type OneStep = { readonly name: string; readonly workspace: string; readonly inputs: readonly string[] };

async function runOne(options: RunOptions, place: Place, one: OneStep): Promise<StepResult> {
  const { name } = one;
  const step = options.file.pipeline[name];
  if (step === undefined) throw new Error(`there is no step ${name}`);
  options.print(`${name} | $ ${step.run?.trimEnd() ?? `uses ${step.uses}`}`);
  const secretEnv = secretsOfCaller(step);
  if (typeof secretEnv === "string") return { outcome: "failed", exitCode: null, reason: secretEnv };
  const lines = prefixedLines(name, options.print);
  const result = await runPipelineStep(place.machine, {
    ...{ ...one, step, service: options.file.service },
    identity: place.folder,
    home: join(place.folder, "homes", name),
    env: { SLIPWAY_GIT_SHA: "0".repeat(40), SLIPWAY_STEP: name, SOURCE_DATE_EPOCH: earliestZipTime },
    note: (line) => options.print(`${name} | ${line}`),
    secretEnv,
    onOutput: lines.write,
    signal: options.signal,
  });
  lines.end();
  return result;
}

/** A working tree has no commit's time; 1980 is the first that every archive can tell. */
const earliestZipTime = "315532800";

/** The platform gives no value out, so here a step's secrets are the caller's own variables; or what is missing. */
function secretsOfCaller({ secrets }: PipelineStep): Readonly<Record<string, string>> | string {
  const missing = secrets.filter((name) => process.env[name] === undefined);
  if (missing.length > 0) return `the step's secrets are taken from your environment here: set ${missing.join(", ")}`;
  return Object.fromEntries(secrets.map((name) => [name, process.env[name] ?? ""]));
}
