import type { VersionName } from "@slipway/kernel";
import { z } from "zod";
import { fenceAnnotation, parseFence, pausedAnnotation, weightsAnnotation } from "./fence.ts";
import { type PatchOperation, pointer } from "./json-patch.ts";
import type { Fence, TrafficView, WatchedTraffic } from "./port.ts";

/**
 * Reading a VirtualService as it stands in a region. Fields that are not named here pass through untouched: writes are
 * JSON patches over the raw object, never the parsed one sent back.
 */
const Destination = z.looseObject({ host: z.string() });
const Weighted = z.looseObject({ destination: Destination, weight: z.number().optional() });
const HttpRoute = z.looseObject({
  name: z.string().optional(),
  route: z.array(Weighted).optional(),
  mirror: Destination.optional(),
  mirrorPercentage: z.unknown().optional(),
  mirrorPercent: z.number().optional(),
  match: z.unknown().optional(),
  mirrors: z.array(z.looseObject({ destination: Destination, percentage: z.unknown().optional() })).optional(),
});
export type HttpRoute = z.infer<typeof HttpRoute>;

export const VirtualService = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
    managedFields: z.array(z.looseObject({ manager: z.string().optional(), time: z.string().optional() })).optional(),
  }),
  spec: z.looseObject({ http: z.array(HttpRoute).optional() }),
});
export type VirtualService = z.infer<typeof VirtualService>;

/** Name of the http route whose weights are Slipway's. Routes named `slipway-…` are Slipway's too. */
export const mainRouteName = "slipway";

export function isOurs(route: HttpRoute): boolean {
  return route.name === mainRouteName || (route.name ?? "").startsWith(`${mainRouteName}-`);
}

/** A destination's Service in this namespace: `orders-a`, also when written `orders-a.prod.svc.cluster.local`. */
export function localName(host: string, namespace: string): string {
  const [name = host, second] = host.split(".");
  return second === undefined || second === namespace ? name : host;
}

export function mainRoute(vs: VirtualService): { readonly index: number; readonly route: HttpRoute } | null {
  const http = vs.spec.http ?? [];
  const index = http.findIndex((route) => route.name === mainRouteName);
  const route = http[index];
  return route === undefined ? null : { index, route };
}

export function fenceOf(vs: VirtualService): Fence | null {
  return parseFence(vs.metadata.annotations?.[fenceAnnotation]);
}

export function pausedOf(vs: VirtualService): string | null {
  return vs.metadata.annotations?.[pausedAnnotation] ?? null;
}

/** Percent by Service name of one route. Istio's weights are relative, and a lone destination has all whatever its own. */
export function routeWeights(route: HttpRoute, namespace: string): Record<string, number> {
  const entries = route.route ?? [];
  const raw = entries.map(({ weight }) => (entries.length === 1 ? 100 : (weight ?? 0)));
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  const weights: Record<string, number> = {};
  for (const [index, { destination }] of entries.entries()) {
    const name = localName(destination.host, namespace);
    weights[name] = (weights[name] ?? 0) + (total === 0 ? 0 : ((raw[index] ?? 0) / total) * 100);
  }
  return weights;
}

export function weightsOf(vs: VirtualService): Record<string, number> {
  const main = mainRoute(vs);
  return main === null ? {} : routeWeights(main.route, vs.metadata.namespace);
}

/** The weights that the last write of ours left, or null where none is recorded. */
export function recordedWeights(vs: VirtualService): Record<string, number> | null {
  const text = vs.metadata.annotations?.[weightsAnnotation];
  if (text === undefined) return null;
  const pairs = text.split(",").map((pair) => pair.split("=") as [string, string | undefined]);
  return Object.fromEntries(pairs.filter(([name]) => name !== "").map(([name, value]) => [name, Number(value)]));
}

export function formatWeights(weights: Readonly<Record<string, number>>): string {
  return Object.entries(weights)
    .map(([name, percent]) => `${name}=${percent}`)
    .join(",");
}

export function sameWeights(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => Math.abs((a[name] ?? 0) - (b[name] ?? 0)) < 0.001);
}

/**
 * Operations that give one route these shares, by Service name. Every destination that is not named gets 0 and stays;
 * one that is missing is appended. Unknown fields of a destination are not touched.
 */
export function setShares(
  route: HttpRoute,
  index: number,
  namespace: string,
  shares: Readonly<Record<string, number>>,
): PatchOperation[] {
  const left = new Map(Object.entries(shares));
  const operations: PatchOperation[] =
    route.route === undefined ? [{ op: "add", path: pointer("spec", "http", index, "route"), value: [] }] : [];
  for (const [position, { destination }] of (route.route ?? []).entries()) {
    const name = localName(destination.host, namespace);
    const path = pointer("spec", "http", index, "route", position, "weight");
    operations.push({ op: "add", path, value: left.get(name) ?? 0 });
    left.delete(name);
  }
  for (const [name, weight] of left) {
    const value = { destination: { host: name }, weight };
    operations.push({ op: "add", path: pointer("spec", "http", index, "route", "-"), value });
  }
  return operations;
}

/** Tests that a route is still the one that was read: its name, and which Service stands at which place. */
export function testRoute(route: HttpRoute, index: number): PatchOperation[] {
  const destinations = (route.route ?? []).map(
    ({ destination }, position): PatchOperation => ({
      op: "test",
      path: pointer("spec", "http", index, "route", position, "destination"),
      value: destination,
    }),
  );
  return [{ op: "test", path: pointer("spec", "http", index, "name"), value: route.name }, ...destinations];
}

/** Istio takes the first route that matches: one without `match` ahead of ours leaves ours no request. */
export function hidingRoute(vs: VirtualService): string | null {
  const http = vs.spec.http ?? [];
  const ours = mainRoute(vs)?.index ?? http.length;
  const index = http.findIndex((route, position) => position < ours && !isOurs(route) && !hasMatch(route.match));
  return index === -1 ? null : (http[index]?.name ?? `number ${index + 1}`);
}

function hasMatch(match: unknown): boolean {
  return Array.isArray(match) && match.length > 0;
}

function lastWriter(vs: VirtualService): string | null {
  const entries = [...(vs.metadata.managedFields ?? [])].sort((a, b) => (a.time ?? "").localeCompare(b.time ?? ""));
  return entries.at(-1)?.manager ?? null;
}

export function viewOf(vs: VirtualService | null, liveVersion: VersionName | null): TrafficView {
  return { ...watchedOf(vs), liveVersion };
}

/** All that the VirtualService itself says. */
export function watchedOf(vs: VirtualService | null): WatchedTraffic {
  if (vs === null) {
    return {
      ...{ exists: false, fence: null, paused: null, weights: {}, recorded: null, routed: false, hiddenBy: null },
      ...{ writtenBy: null, resourceVersion: "", uid: "" },
    };
  }
  return {
    exists: true,
    fence: fenceOf(vs),
    paused: pausedOf(vs),
    weights: weightsOf(vs),
    recorded: recordedWeights(vs),
    routed: mainRoute(vs) !== null,
    hiddenBy: hidingRoute(vs),
    writtenBy: lastWriter(vs),
    resourceVersion: vs.metadata.resourceVersion,
    uid: vs.metadata.uid,
  };
}
