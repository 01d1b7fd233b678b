import { z } from "zod";

const probe = z.looseObject({
  httpGet: z
    .looseObject({
      path: z.string().default("/"),
      httpHeaders: z.array(z.looseObject({ name: z.string(), value: z.string() })).nullish(),
    })
    .optional(),
  tcpSocket: z.looseObject({}).optional(),
  initialDelaySeconds: z.number().nonnegative().nullish(),
  periodSeconds: z.number().positive().nullish(),
  timeoutSeconds: z.number().positive().nullish(),
  failureThreshold: z.number().int().positive().nullish(),
  successThreshold: z.number().int().positive().nullish(),
});

const SecretKeyRef = z.looseObject({
  secretKeyRef: z.looseObject({ name: z.string().min(1), key: z.string().min(1), optional: z.boolean().nullish() }),
});

const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).nullish(),
  args: z.array(z.string()).nullish(),
  workingDir: z.string().nullish(),
  env: z
    .array(z.looseObject({ name: z.string(), value: z.string().nullish(), valueFrom: z.unknown().optional() }))
    .nullish(),
  ports: z.array(z.looseObject({ containerPort: z.number().int() })).nullish(),
  volumeMounts: z
    .array(
      z.looseObject({
        name: z.string(),
        mountPath: z.string(),
        readOnly: z.boolean().nullish(),
        subPath: z.string().nullish(),
      }),
    )
    .nullish(),
  resources: z.looseObject({ limits: z.record(z.string(), z.union([z.string(), z.number()])).nullish() }).nullish(),
  /** Of a container that prepares the pod. */
  restartPolicy: z.string().nullish(),
  readinessProbe: probe.nullish(),
  livenessProbe: probe.nullish(),
  startupProbe: probe.nullish(),
});

const Pod = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    uid: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
    deletionTimestamp: z.string().nullish(),
    deletionGracePeriodSeconds: z.number().nullish(),
  }),
  spec: z.looseObject({
    nodeName: z.string().nullish(),
    restartPolicy: z.enum(["Always", "OnFailure", "Never"]).default("Always"),
    terminationGracePeriodSeconds: z.number().nonnegative().nullish(),
    containers: z.array(Container).min(1),
    initContainers: z.array(Container).nullish(),
    volumes: z.array(z.looseObject({ name: z.string(), emptyDir: z.looseObject({}).nullish() })).nullish(),
  }),
  status: z.looseObject({ qosClass: z.string().nullish() }).nullish(),
});
type Pod = z.infer<typeof Pod>;

export type Probe = {
  readonly check:
    | { readonly kind: "http"; readonly path: string; readonly headers: Record<string, string> }
    | { readonly kind: "tcp" };
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly failureThreshold: number;
  readonly successThreshold: number;
};

export type SecretVariable = {
  readonly variable: string;
  readonly secret: string;
  readonly key: string;
  /** The variable stays unset where there is none. */
  readonly optional: boolean;
};

/** An emptyDir of the pod as its container sees it. */
export type Mounted = { readonly volume: string; readonly path: string };

/** What one container of a pod is. */
export type ContainerSpec = {
  readonly container: string;
  readonly image: string;
  /** Null = the image's own. */
  readonly command: readonly string[] | null;
  readonly args: readonly string[] | null;
  readonly workingDir: string | null;
  readonly env: Readonly<Record<string, string>>;
  /** Variables whose values stand in Secrets of the pod's namespace. */
  readonly secretEnv: readonly SecretVariable[];
  /** Folders that the pod has to itself and may write to; they go with it. */
  readonly volumes: readonly Mounted[];
  readonly memoryBytes: number | null;
};

/** The part of a pod object that the agent acts on: its one container, and what is about the pod. */
export type PodSpec = ContainerSpec & {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Run to their end one after the other before the pod's own. */
  readonly init: readonly ContainerSpec[];
  /** The first port that the container names. */
  readonly containerPort: number | null;
  /** As the API worked it out when the pod was made: it may not be changed. */
  readonly qosClass: string;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  readonly graceMs: number;
  readonly deleting: boolean;
  readonly readiness: Probe | null;
  readonly liveness: Probe | null;
  /** Before the other two: they begin when it has passed. */
  readonly startup: Probe | null;
  /** Why this pod cannot run here; null when it can. */
  readonly unsupported: string | null;
};

/** Reads a pod object. Throws for an object that is no pod; says in `unsupported` what a local region cannot do. */
export function readPod(object: unknown): PodSpec & { readonly nodeName: string | null } {
  const { metadata, spec, status } = Pod.parse(object);
  const [container] = spec.containers as [z.infer<typeof Container>];
  const readiness = readProbe(container.readinessProbe);
  const liveness = readProbe(container.livenessProbe);
  const startup = readProbe(container.startupProbe);
  const graceSeconds = metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
  return {
    nodeName: spec.nodeName ?? null,
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    ...containerSpec(container),
    init: (spec.initContainers ?? []).map(containerSpec),
    containerPort: container.ports?.[0]?.containerPort ?? null,
    qosClass: status?.qosClass ?? "Burstable",
    restartPolicy: spec.restartPolicy,
    graceMs: graceSeconds * 1_000,
    deleting: typeof metadata.deletionTimestamp === "string",
    readiness: readiness ?? null,
    liveness: liveness ?? null,
    startup: startup ?? null,
    unsupported: unsupportedPart(spec, [readiness, liveness, startup]),
  };
}

function containerSpec(container: z.infer<typeof Container>): ContainerSpec {
  return {
    container: container.name,
    image: container.image,
    command: container.command ?? null,
    args: container.args ?? null,
    workingDir: container.workingDir ?? null,
    env: Object.fromEntries(
      (container.env ?? []).flatMap(({ name, value, valueFrom }) => (valueFrom == null ? [[name, value ?? ""]] : [])),
    ),
    secretEnv: (container.env ?? []).flatMap(({ name, valueFrom }) => secretVariable(name, valueFrom)),
    volumes: (container.volumeMounts ?? []).map(({ name, mountPath }) => ({ volume: name, path: mountPath })),
    memoryBytes: readQuantity(container.resources?.limits?.memory),
  };
}

function secretVariable(variable: string, valueFrom: unknown): SecretVariable[] {
  const parsed = SecretKeyRef.safeParse(valueFrom);
  if (!parsed.success) return [];
  const { name: secret, key, optional } = parsed.data.secretKeyRef;
  return [{ variable, secret, key, optional: optional ?? false }];
}

function unsupportedPart(spec: Pod["spec"], probes: readonly (Probe | null | undefined)[]): string | null {
  if (spec.containers.length > 1) return "a local region runs one container per pod, beside those that prepare it";
  if (probes.includes(undefined)) return "a local region probes by httpGet or tcpSocket only";
  const inits = spec.initContainers ?? [];
  if (inits.some(({ restartPolicy }) => restartPolicy != null)) return "a local region has no sidecars";
  const reasons = [...inits, ...spec.containers].map((container) => unsupportedInContainer(spec, container));
  return reasons.find((reason) => reason !== null) ?? null;
}

function unsupportedInContainer({ volumes }: Pod["spec"], container: z.infer<typeof Container>): string | null {
  const empty = (volumes ?? []).filter(({ emptyDir }) => emptyDir != null).map(({ name }) => name);
  for (const { name, mountPath, readOnly, subPath } of container.volumeMounts ?? []) {
    if (!empty.includes(name)) return `a local region has no volumes but emptyDir (${name})`;
    if (readOnly === true || (subPath ?? "") !== "")
      return `a local region mounts an emptyDir whole and writable (${name})`;
    if (!isVolumePath(name, mountPath)) return `a local region mounts an emptyDir at the top level (${mountPath})`;
  }
  const dynamic = container.env?.find(
    ({ name, valueFrom }) => valueFrom != null && secretVariable(name, valueFrom).length === 0,
  );
  if (dynamic !== undefined) return `a local region knows no valueFrom but secretKeyRef (${dynamic.name})`;
  const forbidden = container.env?.find(({ name }) => !isSafeVariable(name));
  return forbidden === undefined ? null : `the variable ${forbidden.name.slice(0, 80)} cannot be set in a local region`;
}

/** A name that is one folder's, and a path of one part: the rest of an image's root is read-only, nothing can be made in it. */
function isVolumePath(name: string, path: string): boolean {
  return (
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name) &&
    /^\/[A-Za-z0-9._-]+$/.test(path) &&
    !/^\/(\.\.?|proc|dev)$/.test(path)
  );
}

/**
 * Variables that the tools which build a pod's namespaces would act on, as root and outside of it: the loader's, glibc's
 * and the shell's. Anything else of the shape of a name goes through.
 */
export function isSafeVariable(name: string): boolean {
  const toolsListen = /^(LD_.*|GLIBC_.*|MALLOC_.*|GCONV_PATH|LOCPATH|NLSPATH|SHELLOPTS|BASHOPTS|BASH_.*|PS4|IFS)$/;
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !toolsListen.test(name);
}

/** Null where there is no probe, undefined where there is one of a kind that is not known here. */
function readProbe(raw: z.infer<typeof probe> | null | undefined): Probe | null | undefined {
  if (raw === null || raw === undefined) return null;
  const check = readCheck(raw);
  if (check === undefined) return undefined;
  return {
    check,
    initialDelayMs: (raw.initialDelaySeconds ?? 0) * 1_000,
    periodMs: (raw.periodSeconds ?? 10) * 1_000,
    timeoutMs: (raw.timeoutSeconds ?? 1) * 1_000,
    failureThreshold: raw.failureThreshold ?? 3,
    successThreshold: raw.successThreshold ?? 1,
  };
}

function readCheck(raw: z.infer<typeof probe>): Probe["check"] | undefined {
  if (raw.httpGet !== undefined) {
    const headers = Object.fromEntries((raw.httpGet.httpHeaders ?? []).map(({ name, value }) => [name, value]));
    return { kind: "http", path: raw.httpGet.path, headers };
  }
  return raw.tcpSocket === undefined ? undefined : { kind: "tcp" };
}

const factors: Readonly<Record<string, number>> = {
  "": 1,
  m: 0.001,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1_024,
  Mi: 1_024 ** 2,
  Gi: 1_024 ** 3,
  Ti: 1_024 ** 4,
};

/** A Kubernetes quantity (`128Mi`, `1e9`, `500M`) as a number; null for none or one that cannot be read. */
export function readQuantity(quantity: string | number | undefined): number | null {
  if (quantity === undefined) return null;
  const match = /^(\d+(?:\.\d+)?(?:e\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(String(quantity));
  return match === null ? null : Number(match[1]) * (factors[match[2] ?? ""] ?? 1);
}
