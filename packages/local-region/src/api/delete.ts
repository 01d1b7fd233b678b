import { z } from "zod";
import { badRequest, conflict } from "./api-error.ts";
import type { Writing } from "./create.ts";
import { type Place, type Region, timestamp } from "./region.ts";
import { pods, type Resource } from "./resources.ts";
import { fieldAt, type Stored, seconds } from "./stored.ts";
import { existing, isFinished } from "./update.ts";

export const DeleteOptions = z.looseObject({
  gracePeriodSeconds: z.number().int().nullish(),
  propagationPolicy: z.enum(["Orphan", "Background", "Foreground"]).nullish(),
  preconditions: z.looseObject({ uid: z.string().nullish(), resourceVersion: z.string().nullish() }).nullish(),
  dryRun: z.array(z.string()).nullish(),
});
export type DeleteOptions = z.infer<typeof DeleteOptions>;

export const foreground = "foregroundDeletion";
export const orphan = "orphan";

/** Options from the body, with those of the query where the body is silent. Throws ApiError 400. */
export function readDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const grace = query.get("gracePeriodSeconds");
  const fromQuery = {
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(query.has("propagationPolicy") ? { propagationPolicy: query.get("propagationPolicy") } : {}),
  };
  const parsed = DeleteOptions.safeParse({ ...fromQuery, ...(body ?? {}) });
  if (!parsed.success) throw badRequest(`invalid DeleteOptions: ${parsed.error.issues[0]?.message ?? ""}`);
  return parsed.data;
}

export type Deleting = Writing & {
  /** False while it waits for its grace period or its finalizers. */
  readonly gone: boolean;
};

/** Decides what a deletion comes to and hands it to the store. Throws ApiError 404 or 409. */
export function remove(region: Region, place: Place, options: DeleteOptions): Deleting {
  const current = existing(region, place);
  checkPreconditions(place.resource, current, options);
  const next = marked(region, place.resource, current, options);
  const gone = isFinished(place.resource, next);
  if (options.dryRun?.includes("All") === true || next === current) {
    return { object: next, written: region.store.settled(), gone };
  }
  const writing = gone ? region.store.remove(place.resource, next) : region.store.put(place.resource, next);
  return { ...writing, gone };
}

function checkPreconditions(resource: Resource, { metadata }: Stored, { preconditions }: DeleteOptions): void {
  const uid = preconditions?.uid ?? metadata.uid;
  const version = preconditions?.resourceVersion ?? metadata.resourceVersion;
  const after = "The object might have been deleted and then recreated";
  if (uid !== metadata.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). ${after}`;
    throw conflict(resource, metadata.name, why);
  }
  if (version !== metadata.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${version}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`;
    throw conflict(resource, metadata.name, why);
  }
}

/** The object with its end decided. The same object where an earlier deletion decided it already. */
function marked(region: Region, resource: Resource, current: Stored, options: DeleteOptions): Stored {
  const grace = graceOf(resource, current, options);
  const { metadata } = current;
  const before = metadata.deletionGracePeriodSeconds ?? 0;
  if (metadata.deletionTimestamp !== undefined && before <= grace) return current;
  const end = Date.parse(timestamp(region)) + grace * 1_000;
  return {
    ...current,
    metadata: {
      ...metadata,
      ...finalizersOf(current, options),
      deletionTimestamp: seconds(new Date(end).toISOString()),
      deletionGracePeriodSeconds: grace,
    },
  };
}

/** Only pods end gracefully; one that never ran, or is over, has nothing to end. */
function graceOf(resource: Resource, current: Stored, { gracePeriodSeconds }: DeleteOptions): number {
  if (resource !== pods) return 0;
  const phase = fieldAt(current, "status", "phase");
  if (phase === "Succeeded" || phase === "Failed" || fieldAt(current, "spec", "nodeName") === undefined) return 0;
  const own = fieldAt(current, "spec", "terminationGracePeriodSeconds");
  const grace = gracePeriodSeconds ?? (typeof own === "number" ? own : 30);
  return grace < 0 ? 1 : grace;
}

function finalizersOf({ metadata }: Stored, { propagationPolicy }: DeleteOptions): { finalizers?: readonly string[] } {
  const wanted = propagationPolicy === "Foreground" ? foreground : propagationPolicy === "Orphan" ? orphan : undefined;
  const present = metadata.finalizers ?? [];
  if (wanted === undefined || present.includes(wanted)) return {};
  return { finalizers: [...present, wanted] };
}
