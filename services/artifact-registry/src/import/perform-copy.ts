import { ProblemError } from "@slipway/contracts";
import type { CommandContext, Outcome } from "@slipway/durable";
import { addMs, type Clock, type GitSha, type ImportId, type Instant, msBetween } from "@slipway/kernel";
import {
  type Credentials,
  type ForeignRegistries,
  type ForeignSource,
  OciError,
  type RegistryAuth,
  RegistryClient,
} from "@slipway/oci";
import type { ImageImport, ImportInput, ImportRequest } from "../domain/image-import.ts";
import { keepPlace, type PlaceTaken, takePlace } from "../store/import-places.ts";
import { findImport, noteProgress } from "../store/imports.ts";
import type { Registry } from "../v2/exchange.ts";
import { storeManifest } from "../v2/manifests.ts";
import { copyBlobs } from "./copy-blobs.ts";
import { type FoundImage, findImage } from "./find-image.ts";
import type { ExternalArtifact } from "./register-external.ts";

export type CopyPorts = {
  readonly registry: Registry;
  readonly registries: ForeignRegistries;
  /** What came with requests, by import. In this process's memory only. */
  readonly credentials: Map<ImportId, RegistryAuth>;
  /** Names this process. */
  readonly place: string;
  readonly clock: Clock;
  /** Images that are copied at once, by all processes together. */
  readonly places: number;
  register(request: ImportRequest, artifact: ExternalArtifact): Promise<void>;
};

const answerMs = 5_000;
const againMs = 5_000;
const forgetMs = 60_000;
/** Another process may hold the credentials and claim the command in the meantime; one that has had them in hand lately lives. */
const lookForCredentials = { attempts: 10, everyMs: 500, livesMs: 15_000 };
const askForPlaceMs = 500;

/** Copies the image and registers it. Whatever may pass by itself is tried again until the import's deadline. */
export async function performCopy(ports: CopyPorts, ctx: CommandContext<ImageImport>): Promise<Outcome<ImportInput>> {
  const state = (await ctx.current())?.state;
  if (state?.phase !== "copying") return { kind: "done" };
  const { request } = state;
  const row = await findImport(ports.registry.db, request.id);
  const leftMs = msBetween(ports.clock.now(), request.deadlineAt);
  if (leftMs <= 0) return failed(row?.waits === true ? noPlaceInTime : "The copy was not done in time.");
  const auth = await authFor(ports, request);
  if (auth === "gone") return withoutCredentials(ports, ctx, { led: state.place, seenAt: row?.seenAt ?? null });
  const inTheWay = await takePlace(ports.registry.db, request.id, ports.places);
  if (inTheWay !== undefined) return { kind: "retry", afterMs: askForPlaceMs, reason: placeText(ports, inTheWay) };
  const giveBack = keepPlace(ports.registry.db, request.id, (error) =>
    ctx.log.warn({ err: error, import: request.id }, "the place of an import could not be kept or given back"),
  );
  try {
    return await copyInPlace(ports, ctx, request, auth, leftMs);
  } finally {
    await giveBack();
  }
}

async function copyInPlace(
  ports: CopyPorts,
  ctx: CommandContext<ImageImport>,
  request: ImportRequest,
  auth: Credentials | undefined,
  leftMs: number,
): Promise<Outcome<ImportInput>> {
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(leftMs)]);
  try {
    const { digest, gitSha } = await copy(ports, request, auth, signal);
    forget(ports, request.id);
    return { kind: "fact", fact: (now) => ({ type: "Registered", digest, gitSha, now }) };
  } catch (error) {
    const outcome = outcomeOf(ports, request, error);
    if (outcome.kind === "fact") forget(ports, request.id);
    return outcome;
  }
}

const noPlaceInTime =
  "No place among the images that are copied came free in time. Ask again, or let more be copied at once (SLIPWAY_MAX_IMPORTS).";

function placeText({ places }: CopyPorts, { taken, ahead }: PlaceTaken): string {
  const next =
    ahead === 0 ? "this import is the next" : `${ahead} more ${ahead === 1 ? "waits" : "wait"} before this one`;
  return `${taken} of ${places} (SLIPWAY_MAX_IMPORTS) ${taken === 1 ? "is" : "are"} taken, ${next}`;
}

/** They are with another process, or gone with it. */
function withoutCredentials(
  ports: CopyPorts,
  ctx: CommandContext<ImageImport>,
  { led, seenAt }: { readonly led: string | undefined; readonly seenAt: Instant | null },
): Outcome<ImportInput> {
  const { attempts, everyMs, livesMs } = lookForCredentials;
  // To another process it comes only where nobody has taken it for a while at the one that it was led to.
  const mayCome = led === undefined || led === ports.place;
  const lives = seenAt !== null && msBetween(seenAt, ports.clock.now()) < livesMs;
  if (lives || (mayCome && ctx.attempt <= attempts))
    return { kind: "retry", afterMs: everyMs, reason: "the process that was given the credentials" };
  return failed(
    "The platform was restarted, and credentials are not kept. Ask again with them: what was copied is here.",
  );
}

/** A little later: a fact that could not be written is found again by performing once more. */
function forget({ credentials }: CopyPorts, id: ImportId): void {
  setTimeout(() => credentials.delete(id), forgetMs).unref();
}

async function copy(ports: CopyPorts, request: ImportRequest, auth: Credentials | undefined, signal: AbortSignal) {
  const { registry, registries } = ports;
  const source = registries.sourceOf(request.image);
  const client = new RegistryClient({
    url: source.url.href,
    guard: registries.guard,
    // What the registry answers is shown soon; a large layer may take as long as the import.
    ...{ deadlineMs: answerMs, blobDeadlineMs: Math.max(1, msBetween(ports.clock.now(), request.deadlineAt)) },
    ...(auth === undefined ? {} : { auth }),
  });
  try {
    const image = await findImage(client, source, request.platform, signal);
    const gitSha = commitOf(request, image);
    const progress = (copied: number, total: number) => noteProgress(registry.db, request.id, total, copied);
    await copyBlobs({ registry, client, source, into: request.service, signal, progress }, image);
    await keepManifest(registry, request, source, image);
    const provenance = {
      builder: "external" as const,
      source: request.image,
      platform: request.platform,
      registered_by: request.requestedBy,
      registered_at: request.requestedAt,
      git_sha_from: request.gitSha === null ? ("label" as const) : ("request" as const),
      isolation: "unknown" as const,
    };
    const artifact = { digest: image.manifest.digest, gitSha, provenance };
    await ports.register(request, artifact);
    return artifact;
  } finally {
    await client.close();
  }
}

/**
 * What the caller says goes before the label: images inherit labels from their base, whose commit is another project's.
 */
function commitOf(request: ImportRequest, image: FoundImage): GitSha {
  const commit = request.gitSha ?? image.revision;
  if (commit !== undefined) return commit;
  throw new OciError(
    "invalid",
    "the image does not say which commit it is of: it has no label org.opencontainers.image.revision with 40 hex digits; say git_sha",
  );
}

/** Never under a commit's tag: those are for what is built here, and they do not move. */
async function keepManifest(registry: Registry, request: ImportRequest, source: ForeignSource, image: FoundImage) {
  const { digest, mediaType, bytes } = image.manifest;
  const tag = `external-${source.digest.slice("sha256:".length, "sha256:".length + 12)}`;
  await storeManifest(registry, {
    ...{ repository: request.service, digest, mediaType, bytes },
    ...{ tags: [tag], by: request.requestedBy },
  });
}

async function authFor(ports: CopyPorts, request: ImportRequest): Promise<Credentials | undefined | "gone"> {
  if (request.withCredentials) return ports.credentials.get(request.id) ?? "gone";
  const { host } = ports.registries.sourceOf(request.image);
  return ports.registries.credentials(host);
}

function outcomeOf(ports: CopyPorts, request: ImportRequest, error: unknown): Outcome<ImportInput> {
  if (error instanceof ProblemError) return failed(error.message);
  if (!(error instanceof OciError)) throw error;
  if (error.kind !== "unavailable") return failed(sentence(error));
  const late = addMs(ports.clock.now(), againMs) >= request.deadlineAt;
  return late
    ? failed(`The registry did not give it in time: ${error.message}.`)
    : { kind: "retry", afterMs: againMs, reason: error.message };
}

function failed(reason: string): Outcome<ImportInput> {
  return { kind: "fact", fact: (now) => ({ type: "CopyFailed", reason, now }) };
}

const hints: Partial<Record<OciError["kind"], string>> = {
  unauthorised: " It wants credentials: give them with the request, or have the operator keep them.",
  forbidden: " The credentials may not read it.",
  untrusted: " It is the artifact-registry that asks.",
  refused: " The operator can allow it in SLIPWAY_EXTERNAL_REGISTRIES.",
};

function sentence(error: OciError): string {
  const text = error.message;
  // What AWS said when it was asked for a password carries its own remedy, and no registry's status.
  const hint = /^(refused|untrusted)$/.test(error.kind) || error.status !== undefined ? hints[error.kind] : undefined;
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.${hint ?? ""}`;
}
