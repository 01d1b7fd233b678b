import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { nearest, type SlipwayFile } from "@slipway/contracts";
import type { Instant } from "@slipway/kernel";
import { fileErrorText, type PlannedStep, removeTree } from "@slipway/pipeline";
import { maskerFor } from "@slipway/secrets";
import type { BuildContext, BuildOutcome, BuildWorld } from "./build-world.ts";
import type { BuildState } from "./domain/state.ts";
import { buildFolders } from "./folders.ts";
import { checkOut, GitRefused, sshIsThere } from "./git.ts";
import { announceLog, appendLog, forgetOutput } from "./log-store.ts";
import { parseRepositoryUrl, type RepositoryUrl } from "./repository-url.ts";
import { buildIdentity } from "./step-runs.ts";
import { lockPlaces, type PlacesBefore, placesBefore, type RepositoryRow, repositoryOf } from "./store.ts";
import { readSlipwayFile, settlePipeline } from "./workspaces.ts";

const waitForPlaceMs = 300;
const mostAttempts = 5;

/**
 * Gives the build a place among those that run, or asks again later. Of all processes one counts at a time, and has begun the build before the next counts:
 * two that find the same place free would both take it.
 */
export async function begin(world: BuildWorld, { buildId, ...about }: BuildState): Promise<BuildOutcome> {
  // Those that wait ask often: only one that would have a place makes others wait for its turn.
  const noneYet = noPlace(world, await placesBefore(world.db, buildId));
  if (noneYet !== undefined) return { kind: "retry", afterMs: waitForPlaceMs, reason: noneYet };
  const isolation = world.executor.description;
  const head = `build ${buildId} of ${about.service} at ${about.gitSha} (${about.ref}, ${about.author})`;
  return world.db.transaction().execute(async (tx): Promise<BuildOutcome> => {
    await lockPlaces(tx);
    const none = noPlace(world, await placesBefore(tx, buildId));
    if (none !== undefined) return { kind: "retry", afterMs: waitForPlaceMs, reason: none };
    const begun = await world.send(tx, buildId, (at) => ({ type: "begun", isolation, at }));
    // An attempt before this one may have come so far, and died.
    if (begun.kind === "applied" && begun.state.phase === "checking_out")
      await appendLog(tx, buildId, `slipway | ${head}\nslipway | isolation: ${isolation}\n`);
    return { kind: "done" };
  });
}

/** Why the build has no place, or nothing where it has one. Places are given in the order of builds. */
function noPlace({ config }: BuildWorld, { taken, ahead }: PlacesBefore): string | undefined {
  const places = config.SLIPWAY_MAX_BUILDS;
  if (taken + ahead < places) return undefined;
  const before =
    ahead === 0 ? "this build is the next" : `${ahead} more ${ahead === 1 ? "waits" : "wait"} before this one`;
  return `${taken} of ${places} (SLIPWAY_MAX_BUILDS) ${taken === 1 ? "is" : "are"} taken, ${before}`;
}

/** Fetches the commit and reads its slipway.yaml. What cannot get better by itself ends the build. */
export async function checkOutCommit(world: BuildWorld, state: BuildState, ctx: BuildContext): Promise<BuildOutcome> {
  const row = await repositoryOf(world.db, state.service);
  if (row === undefined) return failed("the service's repository is no longer registered");
  const repository = parseRepositoryUrl(row.url, world.config.SLIPWAY_GIT_ALLOW_FILE, await sshIsThere());
  if ("problem" in repository) return failed(`the repository's URL cannot be used: ${repository.problem}`);
  const masked = maskerFor(secretsOf(world, row, repository));
  const folders = buildFolders(world.dataDir, state.buildId);
  let committedAt: Instant;
  try {
    // Of an earlier checkout, whose results nobody will take.
    await world.executor.forget(buildIdentity(world, state.buildId));
    await removeTree(folders.all);
    ({ committedAt } = await checkOut({
      repository,
      credentials: credentialsFor(world, repository),
      authorities: world.gitAuthorities,
      gitSha: state.gitSha,
      ref: state.ref,
      into: folders.source,
      gitDir: folders.git,
      signal: ctx.signal,
    }));
    await writeFile(folders.mark, randomUUID());
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    const message = masked(error instanceof Error ? error.message : String(error));
    if (!(error instanceof GitRefused) && ctx.attempt < mostAttempts) throw new Error(message);
    return refuse(world, state, "the commit could not be checked out", message.split("\n"));
  }
  const settled = await settlePipeline(world, state);
  if (settled.kind === "refused") return refuse(world, state, settled.reason, settled.lines);
  await appendLog(world.db, state.buildId, settled.lines.map((line) => `slipway | ${line}\n`).join(""));
  const parsed = await readSlipwayFile(world, state);
  if (parsed === undefined) return refuse(world, state, "slipway.yaml is not a file of at most 1 MiB", []);
  if (parsed.kind === "errors")
    return refuse(world, state, "slipway.yaml has errors", parsed.errors.map(fileErrorText));
  const plan = planOf(parsed.file);
  const said = [...strangers(world, parsed.file), `checked out; steps: ${plan.map(({ name }) => name).join(", ")}`];
  await appendLog(world.db, state.buildId, said.map((line) => `slipway | ${line}\n`).join(""));
  return { kind: "fact", fact: (at) => ({ type: "checked_out", place: world.place, committedAt, plan, at }) };
}

/** Removes the build's files and tells the readers of its log that it has ended. */
export async function cleanUp(world: BuildWorld, state: BuildState): Promise<BuildOutcome> {
  // A cancelled step may still be writing: then this is tried again.
  await world.executor.forget(buildIdentity(world, state.buildId));
  await forgetOutput(world.db, state.buildId);
  await removeTree(buildFolders(world.dataDir, state.buildId).all);
  await announceLog(world.db, state.buildId);
  return { kind: "done" };
}

/** What may not be seen in a build's log. */
export function secretsOf(world: BuildWorld, row: RepositoryRow, repository: RepositoryUrl): string[] {
  const password = repository.credentials?.password ?? "";
  return [world.token, row.secret, password].filter((secret) => secret !== "");
}

/** The platform's own repositories are read with this service's token, others with what their URL says. */
function credentialsFor(world: BuildWorld, repository: RepositoryUrl) {
  if (repository.credentials !== undefined) return repository.credentials;
  if (repository.scheme !== "http" && repository.scheme !== "https") return undefined;
  const own = new URL(world.publicUrl()).origin === new URL(repository.url).origin;
  return own ? { username: "build-service", password: world.token } : undefined;
}

/** Environments of the file that are none of this platform's: perhaps another's, perhaps misspelt. */
function strangers({ environments }: BuildWorld, file: SlipwayFile): readonly string[] {
  const unknown = Object.keys(file.environments).filter((name) => !environments.includes(name));
  return unknown.map(
    (name) =>
      `note: environments.${name} is used nowhere here: there are ${environments.join(", ")}${nearest(name, environments)}`,
  );
}

function planOf(file: SlipwayFile): PlannedStep[] {
  return Object.entries(file.pipeline).map(([name, { needs }]) => ({ name, needs }));
}

async function refuse(
  world: BuildWorld,
  state: BuildState,
  reason: string,
  lines: readonly string[],
): Promise<BuildOutcome> {
  const text = [reason, ...lines].map((line) => `slipway | ${line}\n`).join("");
  await appendLog(world.db, state.buildId, text);
  return failed(lines.length === 0 ? reason : `${reason}: ${inOneLine(lines)}`);
}

/** Lines of a log, perhaps items of a list, as a reason that stands in one. */
function inOneLine(lines: readonly string[]): string {
  const items = lines.map((line) => line.replace(/^\s*(- )?/, ""));
  return items.reduce((text, item) => `${text}${text.endsWith(".") ? " " : "; "}${item}`);
}

function failed(reason: string): BuildOutcome {
  return { kind: "fact", fact: (at) => ({ type: "checkout_failed", reason, at }) };
}
