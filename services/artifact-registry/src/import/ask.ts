import { isDeepStrictEqual } from "node:util";
import { type ExternalRegistration, ProblemError, type RunSpec } from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import { addMs, type ImportId, type Instant } from "@slipway/kernel";
import { type ForeignRegistries, OciError } from "@slipway/oci";
import type { ImportRequest } from "../domain/image-import.ts";
import { readImport, type Service } from "../service.ts";
import { insertImport, latestImport, nextImport } from "../store/imports.ts";

/**
 * Begins to copy a foreign image. One that is on its way under the same request is answered instead of a second one. Throws
 * request.invalid, image.unusable (its host may not be asked), artifact.conflict.
 */
export async function askImport(
  service: Service,
  asked: ExternalRegistration,
  by: string,
  now: Instant,
): Promise<ImportId> {
  const { importing } = service;
  checkSource(importing.registries, asked.image);
  const request: Omit<ImportRequest, "id"> = {
    service: asked.service,
    image: asked.image,
    platform: asked.platform ?? importing.platform,
    gitSha: asked.git_sha ?? null,
    spec: specOf(asked),
    withCredentials: asked.credentials !== undefined,
    requestedBy: by,
    requestedAt: now,
    deadlineAt: addMs(now, importing.deadlineMs),
  };
  const id = (await underWay(service, request)) ?? (await begin(service, request));
  // The worker of this process may have claimed the command already: it looks for them again and again.
  if (asked.credentials !== undefined) importing.credentials.set(id, asked.credentials);
  return id;
}

function checkSource(registries: ForeignRegistries, image: string): void {
  try {
    registries.sourceOf(image);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    const remedy = "The operator names registries of private networks in SLIPWAY_EXTERNAL_REGISTRIES.";
    if (error.kind === "refused")
      throw new ProblemError("image.unusable", `${error.message}.`, { remedy, cause: error });
    throw new ProblemError("request.invalid", `${error.message}.`, {
      errors: [{ at: "/body/image", message: error.message }],
      cause: error,
    });
  }
}

function specOf(asked: ExternalRegistration): RunSpec {
  const { service = asked.service, ...rest } = asked.spec;
  if (service === asked.service) return { ...rest, service };
  throw new ProblemError("request.invalid", `The spec is that of ${service}, not of ${asked.service}.`);
}

async function underWay(service: Service, request: Omit<ImportRequest, "id">): Promise<ImportId | undefined> {
  const row = await latestImport(service.db, request.service, request.image);
  const state = row === undefined ? undefined : await readImport(service, row.id);
  if (state?.phase !== "copying") return undefined;
  const same = (one: Omit<ImportRequest, "id">) => [one.platform, one.gitSha, JSON.parse(JSON.stringify(one.spec))];
  if (
    isDeepStrictEqual(same(state.request), same(request)) &&
    state.request.withCredentials === request.withCredentials
  ) {
    return state.request.id;
  }
  throw new ProblemError(
    "artifact.conflict",
    `${state.request.id} is copying ${request.image} under another request.`,
    {
      remedy: `Wait for its end: GET /api/v1/imports/${state.request.id} says how it is doing.`,
    },
  );
}

/** Two requests at the same moment are two imports: the second finds what the first brought. */
async function begin(service: Service, asked: Omit<ImportRequest, "id">): Promise<ImportId> {
  return service.db.transaction().execute(async (tx) => {
    const { number, id } = await nextImport(tx);
    const request: ImportRequest = { id, ...asked };
    const led = request.withCredentials ? { place: service.importing.place } : {};
    const copying = { phase: "copying" as const, request, ...led };
    await insertImport(tx, { number, id, service: asked.service, image: asked.image }, asked.requestedAt);
    await service.durable.create(tx, service.importing.machine, id, copying, [{ type: "CopyImage" }]);
    await appendAudit(tx, {
      actor: asked.requestedBy,
      action: "image.import_requested",
      subject: id,
      detail: { service: asked.service, image: asked.image, platform: asked.platform, git_sha: asked.gitSha },
      at: asked.requestedAt,
    });
    return id;
  });
}
