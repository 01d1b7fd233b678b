import { existsSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { type BuiltProvenance, ProblemError, registerArtifact, type SlipwayFile } from "@slipway/contracts";
import type { Instant } from "@slipway/kernel";
import { OciError, readLayout, writeImage } from "@slipway/oci";
import { dockerfileOf, freshFolder, ignoring, imageLayout, inputsOf, leavesOf } from "@slipway/pipeline";
import type { BuildContext, BuildOutcome, BuildWorld } from "./build-world.ts";
import type { BuildState, Stands } from "./domain/state.ts";
import { type BuildFolders, buildFolders } from "./folders.ts";
import { appendLog } from "./log-store.ts";
import { repositoryOf } from "./store.ts";
import { pipelineOrigin, readSlipwayFile, workspaceLost } from "./workspaces.ts";

/** Kinds of OciError that another attempt does not mend. */
const final: readonly string[] = [
  "refused",
  "forbidden",
  "unauthorised",
  "not_found",
  "unsafe",
  "too_large",
  "invalid",
  "digest_mismatch",
];
/** `app` of the platform's own bases; by number, since other bases have no such name. */
const appUser = "1000:1000";

type In<P extends BuildState["phase"]> = Extract<BuildState, { phase: P }>;

/** Lays the steps' results together, writes the image and pushes it under the commit's id. */
export async function writeBuildImage(world: BuildWorld, state: BuildState, ctx: BuildContext): Promise<BuildOutcome> {
  if (state.phase !== "imaging") return { kind: "done" };
  const parsed = await readSlipwayFile(world, state);
  const folders = buildFolders(world.dataDir, state.buildId);
  const inputs = [folders.source, ...inputsOf(state.plan).map(folders.step)];
  if (parsed?.kind !== "file" || inputs.some((input) => !existsSync(input))) return workspaceLost();
  const { image, pipeline } = parsed.file;
  if (image.from !== undefined && !existsSync(folders.step(image.from))) return workspaceLost();
  if (image.from !== undefined && pipeline[image.from]?.uses === "dockerfile")
    return pushBuiltImage(world, state, folders.step(image.from), ctx);
  const { copy, command } = image;
  if (copy === undefined || command === undefined)
    return imageFailed(world, state, "image: copy or command is missing");
  const dir = image.from === undefined ? await layTogether(state, folders, copy) : folders.step(image.from);
  const problems = await copyProblems(dir, copy);
  if (problems.length > 0) return imageFailed(world, state, problems.join("; "));
  try {
    const base = await world.bases(image.base, ctx.signal);
    if (base.image !== null) await appendLog(world.db, state.buildId, `image | base ${base.image}\n`);
    const written = await writeImage({
      client: world.registry(),
      base: base.layers,
      files: { dir, copy, at: "/app", omit: leftOut(image.exclude, folders.source) },
      command,
      env: { ...base.env, ...image.env },
      user: appUser,
      workingDir: "/app",
      createdAt: state.committedAt,
      labels: {
        ...{ "org.opencontainers.image.revision": state.gitSha, "dev.slipway.service": state.service },
        ...(base.image === null ? {} : { "dev.slipway.base": base.image }),
      },
      repository: state.service,
      tag: state.gitSha,
      cacheDir: join(world.dataDir, "layers"),
      signal: ctx.signal,
    });
    return await imaged(world, state, written, { base: base.image });
  } catch (error) {
    return failedBy(world, state, error, ctx);
  }
}

/** Pushes the image that a step has built of a Dockerfile under the commit's id, once every byte of it is what its digest says. */
async function pushBuiltImage(
  world: BuildWorld,
  state: In<"imaging">,
  workspace: string,
  ctx: BuildContext,
): Promise<BuildOutcome> {
  const { service: repository, gitSha, buildId } = state;
  const options = { signal: ctx.signal };
  try {
    const { bases, blobs, ...manifest } = await readLayout(join(workspace, imageLayout));
    for (const base of bases) await appendLog(world.db, buildId, `image | base ${base}\n`);
    const sent = { uploaded: 0, mounted: 0, present: 0 };
    const client = world.registry();
    for (const blob of blobs) sent[await client.pushBlob(repository, blob, options)] += 1;
    const digest = await client.putManifest(repository, gitSha, manifest, options);
    return await imaged(world, state, { digest, blobs: sent }, { bases });
  } catch (error) {
    return failedBy(world, state, error, ctx);
  }
}

type Pushed = Pick<Awaited<ReturnType<typeof writeImage>>, "digest" | "blobs">;

async function imaged(
  world: BuildWorld,
  { buildId, service }: BuildState,
  { digest, blobs: { uploaded, mounted, present } }: Pushed,
  stands: Stands,
): Promise<BuildOutcome> {
  const sent = `${uploaded} blobs sent, ${mounted + present} there already`;
  await appendLog(world.db, buildId, `image | ${service}@${digest} (${sent})\n`);
  return { kind: "fact", fact: (at) => ({ type: "imaged", digest, ...stands, at }) };
}

async function failedBy(
  world: BuildWorld,
  state: BuildState,
  error: unknown,
  ctx: BuildContext,
): Promise<BuildOutcome> {
  if (ctx.signal.aborted || !(error instanceof OciError) || !final.includes(error.kind)) throw error;
  return imageFailed(world, state, error.message);
}

/** What steps needed by others made, over the commit's files; with what the last steps left where a path is still missing. */
async function layTogether(state: In<"imaging">, folders: BuildFolders, copy: readonly string[]): Promise<string> {
  const inputs = [folders.source, ...inputsOf(state.plan).map(folders.step)];
  const dir = await freshFolder(folders.image, inputs);
  if ((await copyProblems(dir, copy)).length === 0) return dir;
  const leaves = leavesOf(state.plan).map(folders.step);
  return freshFolder(folders.image, [folders.source, ...leaves, ...inputs]);
}

/** What the commit brought and `image.exclude` names; never what a step made, whatever its name is. */
function leftOut(exclude: readonly string[] = [], source: string): (path: string) => Promise<boolean> {
  const ignored = ignoring(exclude);
  return async (path) => ignored(path) && (await lstat(join(source, path)).catch(() => undefined)) !== undefined;
}

async function copyProblems(dir: string, paths: readonly string[]): Promise<string[]> {
  const problems = await Promise.all(paths.map((path) => copyProblem(dir, path)));
  return problems.filter((problem) => problem !== undefined);
}

/** A path that the image copies must exist, and no part of it may be a link: a step could point it at this machine. */
async function copyProblem(dir: string, path: string): Promise<string | undefined> {
  let at = dir;
  for (const part of path.split("/").filter((name) => name !== "" && name !== ".")) {
    at = join(at, part);
    const found = await lstat(at).catch(() => undefined);
    if (found === undefined) return `image.copy: "${path}" does not exist after the steps`;
    if (found.isSymbolicLink()) return `image.copy: "${path}" goes through a symbolic link`;
  }
  return undefined;
}

async function imageFailed(world: BuildWorld, state: BuildState, reason: string): Promise<BuildOutcome> {
  await appendLog(world.db, state.buildId, `image | ${reason}\n`);
  return { kind: "fact", fact: (at) => ({ type: "image_failed", reason, at }) };
}

/** Tells the artifact-registry what was built, from what and how. The same artifact twice is one artifact there. */
export async function registerImage(world: BuildWorld, state: BuildState, ctx: BuildContext): Promise<BuildOutcome> {
  if (state.phase !== "registering") return { kind: "done" };
  const parsed = await readSlipwayFile(world, state);
  if (parsed?.kind !== "file") return workspaceLost();
  const { service, gitSha, digest } = state;
  const provenance = await provenanceOf(world, state, parsed.file);
  try {
    await world.client.call(registerArtifact, {
      body: { service, git_sha: gitSha, digest, spec: parsed.file, provenance },
      idempotencyKey: `register-${state.buildId}-${digest.slice(-16)}`,
      signal: ctx.signal,
    });
  } catch (error) {
    if (ctx.signal.aborted || !(error instanceof ProblemError) || !isFinal(error)) throw error;
    const unknown = fieldsUnknownThere(error);
    if (unknown !== undefined) return { kind: "retry", afterMs: newerLooksMs, reason: unknown };
    return refused(`the artifact was refused: ${error.message}`);
  }
  await appendLog(world.db, state.buildId, `slipway | registered ${service}@${digest}\n`);
  return { kind: "fact", fact: (at) => ({ type: "registered", at }) };
}

async function provenanceOf(world: BuildWorld, state: In<"registering">, file: SlipwayFile): Promise<BuiltProvenance> {
  const row = await repositoryOf(world.db, state.service);
  const ends = Object.values(state.steps).flatMap((step) => ("endedAt" in step ? [step.endedAt] : []));
  const finishedAt: Instant = [state.startedAt, ...ends].sort().at(-1) ?? state.startedAt;
  return {
    builder: "slipway build-service",
    build_id: state.buildId,
    repository: row?.matchKey ?? null,
    isolation: world.executor.method,
    limits: world.executor.limits,
    pipeline: await pipelineOrigin(world, state),
    started_at: state.startedAt,
    finished_at: finishedAt,
    images: imagesOf(state),
    ...builtBy(file),
  };
}

/** Which Dockerfile an image was built of. */
function builtBy({ image, pipeline }: SlipwayFile): Pick<BuiltProvenance, "dockerfile"> {
  const { from: name } = image;
  const built = name === undefined ? undefined : pipeline[name];
  if (name === undefined || built?.uses !== "dockerfile") return {};
  const { path, target = null } = dockerfileOf(built);
  return { dockerfile: { step: name, path, target } };
}

function imagesOf(state: In<"registering">): NonNullable<BuiltProvenance["images"]> {
  const own = typeof state.base === "string" ? [{ used_by: "base", image: state.base }] : [];
  const base = [...own, ...(state.bases ?? []).map((image) => ({ used_by: "Dockerfile", image }))];
  const steps = state.plan.flatMap(({ name }) => {
    const step = state.steps[name];
    const image = step !== undefined && "image" in step ? step.image : undefined;
    return typeof image === "string" ? [{ used_by: `step ${name}`, image }] : [];
  });
  return [...steps, ...base];
}

const newerLooksMs = 2_000;

/** Our own contract is strict, and what we send follows it: fields that are not known there are those of a newer version, which is on its way. */
function fieldsUnknownThere({ code, errors = [] }: ProblemError): string | undefined {
  if (code !== "request.invalid" || errors.length === 0) return undefined;
  if (!errors.every(({ message }) => message.startsWith("is not known here"))) return undefined;
  const fields = errors.map(({ at }) => at.replace(/^\/body\//, "").replaceAll("/", ".")).join(", ");
  return `the artifact-registry is of an older version and does not know ${fields}: waiting until it is upgraded`;
}

/** A call that the far side understood and will never accept. A token may be renewed and a conflict in flight ends. */
function isFinal(error: ProblemError): boolean {
  const passing = ["auth.missing", "auth.invalid", "idempotency.in_flight", "unavailable"];
  return error.status < 500 && !passing.includes(error.code);
}

function refused(reason: string): BuildOutcome {
  return { kind: "fact", fact: (at) => ({ type: "register_refused", reason, at }) };
}
