import type { z } from "zod";
import { patchObject, read, write } from "./calls.ts";
import type { Connection, RequestOptions } from "./connection.ts";
import { RegionRejected, RegionUnavailable } from "./errors.ts";
import { epochAnnotation } from "./fence.ts";
import { type PatchOperation, pointer, testVersion } from "./json-patch.ts";
import * as paths from "./paths.ts";
import type { Logger, Target } from "./port.ts";
import { VirtualService } from "./virtual-service.ts";
import { epochOf, Fenced, NamespaceObject, namespaceObject, ServiceObject } from "./workload.ts";

/** What every effect of a region needs. */
export type Effects = {
  readonly connection: Connection;
  readonly log: Logger;
  /** The Secret of each namespace with which nodes pull images. */
  readonly pullSecret?: string | undefined;
  readonly istioRevision?: string | undefined;
  /** 0 <= x < 1: spreads retries. */
  readonly random: () => number;
  /** Milliseconds that never go backwards. */
  readonly monotonicMs: () => number;
  readonly pause: (ms: number) => Promise<void>;
  readonly lowerDeadlineMs: number;
  readonly lowerRequestMs: number;
  /** The routes as a watch that runs anyway told them last. They may be old. */
  readonly lastTold: (target: Target) => VirtualService | undefined;
};

/** How often a write that lost a race is built anew. */
const attempts = 10;

export async function readVirtualService(
  { connection }: Pick<Effects, "connection">,
  target: Target,
  options?: RequestOptions,
): Promise<VirtualService | null> {
  return readAs(connection, paths.virtualService(target), VirtualService, options);
}

export async function readBase({ connection }: Pick<Effects, "connection">, target: Target, options?: RequestOptions) {
  return readAs(connection, paths.baseServicePath(target), ServiceObject, options);
}

/** An object or a list as far as it is understood here; null where there is none. */
export async function readAs<T>(connection: Connection, path: string, schema: z.ZodType<T>, options?: RequestOptions) {
  const raw = await read(connection, path, options);
  if (raw === null) return null;
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new RegionRejected(connection.region, `${path} cannot be understood`, { cause: parsed.error });
}

/** Answers its labels; one that exists keeps those that it has. */
export async function ensureNamespace(
  { connection, istioRevision }: Effects,
  name: string,
): Promise<Readonly<Record<string, string>>> {
  const found = await readAs(connection, `${paths.namespaces}/${name}`, NamespaceObject);
  if (found !== null) return found.metadata.labels ?? {};
  const wanted = namespaceObject(name, istioRevision);
  await create(connection, paths.namespaces, wanted);
  return wanted.metadata.labels;
}

/** `exists`: somebody was faster, or the answer was lost; a read tells. */
export async function create(connection: Connection, path: string, body: object): Promise<"created" | "exists"> {
  const outcome = await write(connection, "POST", path, { body });
  return outcome.kind === "written" ? "created" : "exists";
}

type Ensured = { readonly kind: "done" } | { readonly kind: "stale"; readonly epoch: number };

/**
 * Creates the object, or brings the one that stands there under this epoch; `change` adds what else is to be set.
 * An object of a newer epoch is left alone.
 */
export async function ensureObject(
  effects: Effects,
  collection: string,
  wanted: { readonly metadata: { readonly name: string } } & object,
  epoch: number,
  change: (found: Fenced) => readonly PatchOperation[] = () => [],
): Promise<Ensured> {
  const { connection } = effects;
  const path = `${collection}/${wanted.metadata.name}`;
  return untilWritten(effects, path, async () => {
    const found = await readAs(connection, path, Fenced);
    if (found !== null) return updateObject(connection, path, found, epoch, change(found));
    return (await create(connection, collection, wanted)) === "created" ? { kind: "done" } : null;
  });
}

/** One attempt to write over what was read, unless it belongs to a newer epoch. Null: it lost a race. */
export async function updateObject(
  connection: Connection,
  path: string,
  found: Fenced,
  epoch: number,
  change: readonly PatchOperation[],
): Promise<Ensured | null> {
  const present = epochOf(found);
  if (present > epoch) return { kind: "stale", epoch: present };
  if (present === epoch && change.length === 0) return { kind: "done" };
  const outcome = await patchObject(connection, path, [...testEpoch(found), ...change, ...raiseEpoch(found, epoch)]);
  return outcome.kind === "written" ? { kind: "done" } : null;
}

/** Controllers write status all the time: the epoch is tested where there is one, so that they do not get in the way. */
function testEpoch(found: Fenced): PatchOperation[] {
  const value = found.metadata.annotations?.[epochAnnotation];
  if (value === undefined) return [testVersion(found.metadata.resourceVersion)];
  return [
    { op: "test", path: "/metadata/uid", value: found.metadata.uid },
    { op: "test", path: pointer("metadata", "annotations", epochAnnotation), value },
  ];
}

function raiseEpoch(found: Fenced, epoch: number): PatchOperation[] {
  const created: PatchOperation[] =
    found.metadata.annotations === undefined ? [{ op: "add", path: "/metadata/annotations", value: {} }] : [];
  const path = pointer("metadata", "annotations", epochAnnotation);
  return [...created, { op: "add", path, value: String(epoch) }];
}

/** Attempts until one answers something else than null, which means that it lost a race or an answer. */
export async function untilWritten<T>(effects: Effects, path: string, attempt: () => Promise<T | null>): Promise<T> {
  for (let count = 1; count <= attempts; count += 1) {
    const result = await attempt();
    if (result !== null) return result;
    await jitter(effects, count);
  }
  throw new RegionUnavailable(effects.connection.region, `${path} could not be written in ${attempts} attempts`);
}

/** A random moment that grows with the attempts: 1 to 10 ms after the first, never over 200. */
export function jitter({ random, pause }: Effects, attempt: number): Promise<void> {
  return pause(1 + random() * Math.min(10 * attempt, 200));
}
