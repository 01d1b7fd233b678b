import { idOf, type Resource } from "./resources.ts";
import { fieldAt, isRecord } from "./stored.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * Fills in what the real server fills in, so that both kinds of region show the same object. Given an object of the right
 * shape (schemas.ts); pure.
 */
export function withDefaults(resource: Resource, object: Fields): Fields {
  const fill = fillers[idOf(resource)];
  return fill === undefined ? object : fill(object);
}

const fillers: Readonly<Record<string, (object: Fields) => Fields>> = {
  "/namespaces": (object) => ({ ...object, spec: { finalizers: ["kubernetes"], ...fields(object.spec) } }),
  "/pods": (object) => ({ ...object, spec: podSpec(fields(object.spec)) }),
  "/secrets": secret,
  "/services": (object) => ({ ...object, spec: serviceSpec(fields(object.spec)) }),
  "apps/deployments": (object) => ({ ...object, spec: deploymentSpec(fields(object.spec)) }),
  "apps/replicasets": (object) => ({ ...object, spec: workloadSpec(fields(object.spec)) }),
};

function fields(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

/** Only where there is a list: an absent one stays absent. */
function each(object: Fields, name: string, change: (item: Fields) => Fields): Fields {
  return object[name] === undefined ? {} : { [name]: list(object[name]).map(change) };
}

function podSpec(spec: Fields): Fields {
  return {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
    securityContext: {},
    ...spec,
    ...each(spec, "containers", container),
    ...each(spec, "initContainers", container),
  };
}

function container(given: Fields): Fields {
  const probes = ["readinessProbe", "livenessProbe", "startupProbe"]
    .filter((name) => isRecord(given[name]))
    .map((name) => [name, probe(fields(given[name]))] as const);
  const image = String(given.image);
  return {
    imagePullPolicy: image.includes("@") || /:(?!latest$)[^/]+$/.test(image) ? "IfNotPresent" : "Always",
    resources: {},
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    ...given,
    ...each(given, "ports", (port) => ({ protocol: "TCP", ...port })),
    ...Object.fromEntries(probes),
  };
}

function probe(given: Fields): Fields {
  const httpGet = isRecord(given.httpGet) ? { httpGet: { path: "/", scheme: "HTTP", ...given.httpGet } } : {};
  return { failureThreshold: 3, periodSeconds: 10, successThreshold: 1, timeoutSeconds: 1, ...given, ...httpGet };
}

/** Texts of `stringData` become data, and are never shown as they are. */
function secret({ stringData, ...object }: Fields): Fields {
  if (!isRecord(stringData)) return { type: "Opaque", ...object };
  const texts = Object.entries(stringData).map(([name, text]) => [name, Buffer.from(String(text)).toString("base64")]);
  return { type: "Opaque", ...object, data: { ...fields(object.data), ...Object.fromEntries(texts) } };
}

/** Services have no address of their own here: the mesh finds pods by the Service's name and selector. */
function serviceSpec(spec: Fields): Fields {
  return {
    type: "ClusterIP",
    clusterIP: "None",
    clusterIPs: ["None"],
    sessionAffinity: "None",
    internalTrafficPolicy: "Cluster",
    ipFamilies: ["IPv4"],
    ipFamilyPolicy: "SingleStack",
    ...spec,
    ...each(spec, "ports", (port) => ({ protocol: "TCP", targetPort: port.port, ...port })),
  };
}

function workloadSpec(spec: Fields): Fields {
  const template = fields(spec.template);
  const filled = { metadata: { creationTimestamp: null }, ...template, spec: podSpec(fields(template.spec)) };
  return { replicas: 1, ...spec, template: filled };
}

function deploymentSpec(spec: Fields): Fields {
  const given = fields(spec.strategy);
  const rolling = { maxSurge: "25%", maxUnavailable: "25%", ...fields(fieldAt(given, "rollingUpdate")) };
  const strategy = given.type === "Recreate" ? given : { type: "RollingUpdate", ...given, rollingUpdate: rolling };
  return {
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    ...workloadSpec(spec),
    strategy,
  };
}
