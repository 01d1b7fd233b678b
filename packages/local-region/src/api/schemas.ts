import { z } from "zod";
import type { Cause } from "./api-error.ts";
import { idOf, type Resource } from "./resources.ts";

/**
 * The shape of what is kept, as far as this server and its controllers read it. Other fields pass through untouched.
 */
const labels = z.record(z.string(), z.string());

export const WrittenMetadata = z.looseObject({
  name: z.string().optional(),
  generateName: z.string().optional(),
  namespace: z.string().optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  labels: labels.optional(),
  annotations: labels.optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z
    .array(
      z.looseObject({
        apiVersion: z.string(),
        kind: z.string(),
        name: z.string(),
        uid: z.string(),
        controller: z.boolean().optional(),
        blockOwnerDeletion: z.boolean().optional(),
      }),
    )
    .optional(),
});
export type WrittenMetadata = z.infer<typeof WrittenMetadata>;

const count = z.number().int().nonnegative();
const port = z.union([z.number().int().min(1).max(65_535), z.string().min(1).max(15)]);

const PodSpec = z.looseObject({
  nodeName: z.string().optional(),
  terminationGracePeriodSeconds: count.optional(),
  containers: z
    .array(
      z.looseObject({
        name: z.string().min(1),
        image: z.string().min(1),
        ports: z
          .array(z.looseObject({ name: z.string().optional(), containerPort: z.number().int().min(1).max(65_535) }))
          .optional(),
      }),
    )
    .min(1),
});

const Selector = z.looseObject({
  matchLabels: labels.optional(),
  matchExpressions: z
    .array(
      z.looseObject({
        key: z.string(),
        operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
        values: z.array(z.string()).optional(),
      }),
    )
    .optional(),
});

const share = z.union([count, z.string().regex(/^\d{1,3}%$/)]);

const WorkloadSpec = z.looseObject({
  replicas: count.optional(),
  minReadySeconds: count.optional(),
  selector: Selector,
  template: z.looseObject({
    metadata: z.looseObject({ labels: labels.optional(), annotations: labels.optional() }).optional(),
    spec: PodSpec,
  }),
});

const DeploymentSpec = WorkloadSpec.extend({
  progressDeadlineSeconds: count.optional(),
  revisionHistoryLimit: count.optional(),
  strategy: z
    .looseObject({
      type: z.enum(["RollingUpdate", "Recreate"]).optional(),
      rollingUpdate: z.looseObject({ maxSurge: share.optional(), maxUnavailable: share.optional() }).optional(),
    })
    .optional(),
});

const ServiceSpec = z.looseObject({
  type: z.string().optional(),
  selector: labels.optional(),
  ports: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        port: z.number().int().min(1).max(65_535),
        targetPort: port.optional(),
      }),
    )
    .optional(),
});

const destination = z.looseObject({ host: z.string().min(1), subset: z.string().optional() });
const percentage = z.looseObject({ value: z.number().optional() });
/** As Istio's own definition of the resource has it, for the fields that steer requests. */
const VirtualServiceSpec = z.looseObject({
  hosts: z.array(z.string().min(1)).min(1),
  gateways: z.array(z.string()).optional(),
  exportTo: z.array(z.string()).optional(),
  http: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        match: z.array(z.looseObject({})).optional(),
        route: z.array(z.looseObject({ destination, weight: z.number().int().min(0).optional() })).optional(),
        mirror: destination.optional(),
        mirrorPercentage: percentage.optional(),
        mirrors: z.array(z.looseObject({ destination, percentage: percentage.optional() })).optional(),
        retries: z.looseObject({ attempts: z.number().int().optional() }).optional(),
        timeout: z.string().optional(),
      }),
    )
    .optional(),
});

/** Messages of zod name no value, and what is told of a wrong Secret must not either. */
const Secret = z.looseObject({
  type: z.string().optional(),
  immutable: z.boolean().optional(),
  data: z
    .record(
      z.string().regex(/^[-._a-zA-Z0-9]{1,253}$/),
      z.string().regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, "must be base64"),
    )
    .optional(),
});

const schemas: Readonly<Record<string, z.ZodType>> = {
  "/pods": z.looseObject({ spec: PodSpec }),
  "/services": z.looseObject({ spec: ServiceSpec }),
  "/configmaps": z.looseObject({ data: labels.optional() }),
  "/secrets": Secret,
  "/resourcequotas": z.looseObject({ spec: z.looseObject({ hard: labels.optional() }).optional() }),
  "/events": z.looseObject({ involvedObject: z.looseObject({}) }),
  "apps/deployments": z.looseObject({ spec: DeploymentSpec }),
  "apps/replicasets": z.looseObject({ spec: WorkloadSpec }),
  "networking.istio.io/virtualservices": z.looseObject({ spec: VirtualServiceSpec }),
  "networking.istio.io/destinationrules": z.looseObject({ spec: z.looseObject({ host: z.string().min(1) }) }),
};

/** What an object of this kind is checked by; undefined where anything is taken. */
export function shapeOf(resource: Resource): z.ZodType | undefined {
  return schemas[idOf(resource)];
}

/** What is wrong with the shape of an object; empty when nothing is. */
export function shapeCauses(resource: Resource, object: unknown): Cause[] {
  const parsed = shapeOf(resource)?.safeParse(object);
  return parsed === undefined || parsed.success ? [] : causesOf(parsed.error);
}

export function causesOf(error: z.ZodError, prefix: readonly string[] = []): Cause[] {
  return error.issues.map(({ path, message, code, input }) => {
    const missing = code === "invalid_type" && input === undefined && message.includes("undefined");
    return {
      reason: missing ? "FieldValueRequired" : "FieldValueInvalid",
      message: missing ? "Required value" : `Invalid value: ${message}`,
      field: fieldName([...prefix, ...path.map(String)]),
    };
  });
}

function fieldName(path: readonly string[]): string {
  return path.map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : `${index === 0 ? "" : "."}${part}`)).join("");
}
