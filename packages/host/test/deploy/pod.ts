import { z } from "zod";
import type { Rendered } from "./helm.ts";

const Items = z.array(z.strictObject({ key: z.string(), path: z.string() })).optional();
const Source = z.union([
  z.strictObject({ secret: z.strictObject({ name: z.string(), items: Items }) }),
  z.strictObject({
    serviceAccountToken: z.strictObject({
      path: z.string(),
      expirationSeconds: z.number(),
      audience: z.string().optional(),
    }),
  }),
]);
const Volume = z.strictObject({
  name: z.string(),
  emptyDir: z.looseObject({}).optional(),
  ephemeral: z.looseObject({}).optional(),
  configMap: z.strictObject({ name: z.string() }).optional(),
  secret: z.strictObject({ secretName: z.string(), items: Items, defaultMode: z.number() }).optional(),
  projected: z.strictObject({ defaultMode: z.number(), sources: z.array(Source) }).optional(),
});
const Probe = z.looseObject({ httpGet: z.strictObject({ path: z.string(), port: z.string() }) });
const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()).optional(),
  env: z.array(z.strictObject({ name: z.string(), value: z.string() })).default([]),
  ports: z.array(z.strictObject({ name: z.string(), containerPort: z.number() })).default([]),
  startupProbe: Probe.optional(),
  readinessProbe: Probe.optional(),
  livenessProbe: Probe.optional(),
  lifecycle: z.looseObject({}).optional(),
  securityContext: z.looseObject({}).optional(),
  volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() })),
});
const Spec = z.object({
  replicas: z.number().optional(),
  template: z.object({
    metadata: z.looseObject({
      labels: z.record(z.string(), z.string()),
      annotations: z.record(z.string(), z.string()).optional(),
    }),
    spec: z.looseObject({
      automountServiceAccountToken: z.boolean(),
      enableServiceLinks: z.boolean().optional(),
      serviceAccountName: z.string().optional(),
      hostUsers: z.boolean().optional(),
      terminationGracePeriodSeconds: z.number().optional(),
      tolerations: z.array(z.looseObject({})).optional(),
      priorityClassName: z.string().optional(),
      nodeSelector: z.record(z.string(), z.string()).optional(),
      securityContext: z.looseObject({}),
      containers: z.array(Container),
      initContainers: z.array(Container).default([]),
      volumes: z.array(Volume),
    }),
  }),
});
type Volume = z.output<typeof Volume>;

/** The pod that a Deployment or a Job would make, as its one container sees it. Volumes that are not understood here are an error. */
export function podOfChart(objects: readonly Rendered[], kind: "Deployment" | "Job", name: string) {
  const found = objects.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`the chart makes no ${kind} ${name}`);
  const { template } = Spec.parse(found.spec);
  const [container] = template.spec.containers;
  if (container === undefined) throw new Error(`${name} has no container`);
  const volumeOf = (mount: { name: string }) => template.spec.volumes.find((volume) => volume.name === mount.name);
  const mounted = container.volumeMounts.flatMap((mount) => {
    const volume = volumeOf(mount);
    if (volume === undefined) throw new Error(`${name} mounts ${mount.name}, which it has not`);
    return [{ ...mount, volume }];
  });
  return {
    ...{
      ...template.spec,
      labels: template.metadata.labels,
      annotations: template.metadata.annotations ?? {},
      container,
    },
    env: Object.fromEntries(container.env.map((variable) => [variable.name, variable.value])),
    /** What can be written to. */
    writable: mounted.filter(({ readOnly }) => readOnly !== true).map(({ mountPath }) => mountPath),
    /** Where each file comes from: `Secret:key`, or `Secret` where all of it is mounted. */
    files: Object.fromEntries(mounted.flatMap(({ mountPath, volume }) => filesOf(volume, mountPath))),
  };
}

function filesOf({ secret, projected, configMap }: Volume, mountPath: string): readonly [string, string][] {
  const each = (name: string, items: z.output<typeof Items>): [string, string][] =>
    items === undefined
      ? [[mountPath, name]]
      : items.map(({ key, path }) => [`${mountPath}/${path}`, `${name}:${key}`]);
  if (secret !== undefined) return each(secret.secretName, secret.items);
  if (configMap !== undefined) return each(configMap.name, undefined);
  return (projected?.sources ?? []).flatMap((source) =>
    "secret" in source
      ? each(source.secret.name, source.secret.items)
      : [[`${mountPath}/${source.serviceAccountToken.path}`, "the pod's own account"] satisfies [string, string]],
  );
}

/** What a container of Slipway's may do where nothing is said otherwise, and as whom its pod runs. */
export const restricted = {
  ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
  capabilities: { drop: ["ALL"] },
};
export const account = { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 };
