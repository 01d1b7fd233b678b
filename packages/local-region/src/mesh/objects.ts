import { z } from "zod";
import { podAnnotations } from "../agent/types.ts";

/** The parts of the region's objects that routing needs. They are kept on disk in this form. */
export const MeshService = z.object({
  namespace: z.string(),
  name: z.string(),
  selector: z.record(z.string(), z.string()),
});
export const MeshPod = z.object({
  namespace: z.string(),
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  host: z.string(),
  port: z.number().int(),
});
const StringMatch = z.union([
  z.strictObject({ exact: z.string() }),
  z.strictObject({ prefix: z.string() }),
  z.strictObject({ regex: z.string() }),
]);
/** Strict: a match that asks for more than is understood here must never be taken for one that asks for less. */
const RouteMatch = z.strictObject({
  name: z.string().optional(),
  uri: StringMatch.optional(),
  method: StringMatch.optional(),
  authority: StringMatch.optional(),
  headers: z.record(z.string(), StringMatch).optional(),
  withoutHeaders: z.record(z.string(), StringMatch).optional(),
  queryParams: z.record(z.string(), StringMatch).optional(),
});
const Destination = z.object({ host: z.string(), subset: z.string().optional(), weight: z.number().nonnegative() });
const HttpRoute = z.object({
  name: z.string(),
  /** Null = every request; matches that are not understood are left out, so that an empty list takes none. */
  matches: z.array(RouteMatch).nullable(),
  destinations: z.array(Destination),
});
export const MeshVirtualService = z.object({
  namespace: z.string(),
  name: z.string(),
  hosts: z.array(z.string()),
  routes: z.array(HttpRoute),
});

export type MeshService = z.infer<typeof MeshService>;
export type MeshPod = z.infer<typeof MeshPod>;
export type MeshVirtualService = z.infer<typeof MeshVirtualService>;
export type HttpRoute = z.infer<typeof HttpRoute>;
export type RouteMatch = z.infer<typeof RouteMatch>;
export type StringMatch = z.infer<typeof StringMatch>;

const Labels = z.record(z.string(), z.string()).nullish();
const Metadata = z.looseObject({ name: z.string(), namespace: z.string() });
const ServiceObject = z.looseObject({ metadata: Metadata, spec: z.looseObject({ selector: Labels }).nullish() });
const PodObject = z.looseObject({
  metadata: Metadata.extend({ labels: Labels, annotations: Labels, deletionTimestamp: z.string().nullish() }),
  spec: z.looseObject({
    containers: z.array(z.looseObject({ ports: z.array(z.looseObject({ containerPort: z.number() })).nullish() })),
  }),
  status: z
    .looseObject({
      podIP: z.string().nullish(),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).nullish(),
    })
    .nullish(),
});
const VirtualServiceObject = z.looseObject({
  metadata: Metadata,
  spec: z.looseObject({
    hosts: z.array(z.string()),
    http: z
      .array(
        z.looseObject({
          name: z.string().nullish(),
          match: z.array(z.unknown()).nullish(),
          route: z
            .array(
              z.looseObject({
                destination: z.looseObject({ host: z.string(), subset: z.string().optional() }),
                weight: z.number().nonnegative().nullish(),
              }),
            )
            .nullish(),
        }),
      )
      .nullish(),
  }),
});

export function readService(object: unknown): MeshService {
  const { metadata, spec } = ServiceObject.parse(object);
  return { namespace: metadata.namespace, name: metadata.name, selector: spec?.selector ?? {} };
}

/** Undefined for a pod that must get no requests: not ready, on its way out, or without an address. */
export function readReadyPod(object: unknown): MeshPod | undefined {
  const { metadata, spec, status } = PodObject.parse(object);
  const ready = status?.conditions?.some(({ type, status: holds }) => type === "Ready" && holds === "True") ?? false;
  const told = metadata.annotations?.[podAnnotations.port];
  const port = told === undefined ? spec.containers[0]?.ports?.[0]?.containerPort : Number(told);
  const host = status?.podIP;
  const leaving = typeof metadata.deletionTimestamp === "string";
  if (!ready || leaving || typeof host !== "string" || port === undefined || !Number.isInteger(port)) return undefined;
  return { namespace: metadata.namespace, name: metadata.name, labels: metadata.labels ?? {}, host, port };
}

export function readVirtualService(object: unknown): MeshVirtualService {
  const { metadata, spec } = VirtualServiceObject.parse(object);
  const routes = (spec.http ?? []).map((http): HttpRoute => {
    const route = http.route ?? [];
    return {
      name: http.name ?? "",
      matches: http.match?.flatMap((match) => understood(match)) ?? null,
      destinations: route.map(({ destination, weight }) => ({
        host: destination.host,
        ...(destination.subset === undefined ? {} : { subset: destination.subset }),
        // As in Istio: the only destination takes everything, whatever weight it has or lacks.
        weight: route.length === 1 ? 100 : (weight ?? 0),
      })),
    };
  });
  return { namespace: metadata.namespace, name: metadata.name, hosts: spec.hosts, routes };
}

function understood(match: unknown): RouteMatch[] {
  const parsed = RouteMatch.safeParse(match);
  return parsed.success ? [parsed.data] : [];
}
