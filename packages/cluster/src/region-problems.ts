import { z } from "zod";
import { type Connection, connect, type KnownConnection } from "./connection.ts";
import { ApiStatus, isStatus } from "./errors.ts";
import { type Injectors, injectorsOf, sidecarArguments, sidecarLabel } from "./injection.ts";
import type { RegionAccess } from "./open-regions.ts";
import { namespaces } from "./paths.ts";
import { type Reached, reachProblem } from "./reach-problem.ts";
import { install, policiesProblem, type RegionAccount } from "./region-policies.ts";
import type { TokenLife } from "./token-life.ts";
import { namespaceObject } from "./workload.ts";

const timeoutMs = 5_000;
const istioGroup = "/apis/networking.istio.io/v1";

/** One right stands for all that both need, one for what the orchestrator has alone. */
const writesRoutes = { group: "networking.istio.io", resource: "virtualservices", verb: "patch" };
const makesWorkloads = { group: "apps", resource: "deployments", verb: "create" };
const makesNamespaces = { group: "", resource: "namespaces", verb: "create" };

const Version = z.looseObject({ major: z.string(), minor: z.string() });
const Review = z.looseObject({ status: z.looseObject({ allowed: z.boolean() }) });
const Group = z.looseObject({ resources: z.array(z.looseObject({ name: z.string() })) });
const Namespace = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).default({}) }),
});

/**
 * What a region lacks for deployments, each as a sentence that says what to do; none: it has all. `environments` are looked at where their
 * namespaces exist already; `account`: whose the kubeconfig is to be, where that is known. Never rejects. What a region does not answer (a right to
 * look, a path it does not know) is no problem of its own.
 */
export async function regionProblems(
  region: RegionAccess,
  environments: readonly string[],
  account?: RegionAccount,
): Promise<readonly string[]> {
  return (await lookAtRegion(region, environments, account)).problems;
}

/** `reached`: its API lets Slipway in; whatever else is wrong there, weights can be looked at. */
export type RegionLook = {
  readonly reached: boolean;
  readonly problems: readonly string[];
  /** From when to when the token of its kubeconfig is good, where that says so. */
  readonly token: TokenLife | undefined;
};

/** The same with whether the region was reached at all. */
export async function lookAtRegion(
  region: RegionAccess,
  environments: readonly string[],
  account?: RegionAccount,
): Promise<RegionLook> {
  const { name, kubeconfig, context } = region;
  const say = (text: string) => `region ${name}: ${text}`;
  let connection: KnownConnection | undefined;
  try {
    const opened = await connect({ region: name, kubeconfig, context, timeoutMs });
    connection = opened;
    const injectors = await injectorsOf(opened);
    const found = [
      versionProblem(await opened.request("GET", "/version")),
      await istioProblem(opened),
      (await rightsProblem(opened, account)) ?? (await policyProblem(opened, account)),
      ...(await Promise.all(environments.map((one) => namespaceProblem(opened, one, region, injectors)))),
      ...(await Promise.all(environments.map((one) => pullSecretProblem(opened, one, region)))),
    ];
    // What is said of every namespace that is still to be made is said once.
    const problems = [...new Set(found.filter((problem) => problem !== undefined).map(say))];
    return { reached: true, problems, token: opened.tokenLife() };
  } catch (error) {
    const problems = [say(reachProblem(error, howReached(region, account)))];
    return { reached: false, problems, token: connection?.tokenLife() };
  } finally {
    await connection?.close().catch(() => undefined);
  }
}

function howReached({ kubeconfig, context }: RegionAccess, account: RegionAccount | undefined): Reached {
  return {
    ...{ kubeconfig, context, namedIn: "`kubeconfig` and `context` in the regions file" },
    renew: `kubectl create token ${account ?? "orchestrator"} -n slipway-system`,
    install: `${install}, and use its service accounts`,
  };
}

/** Admission policies, by which the API server keeps the fence, are on from here. */
const oldest = { major: 1, minor: 30 };

function versionProblem(answer: unknown): string | undefined {
  const read = Version.safeParse(answer);
  if (!read.success) return "what answers there is no Kubernetes API: correct `server` in its kubeconfig";
  const [major, minor] = [read.data.major, read.data.minor].map((text) => Number.parseInt(text, 10));
  if (major === undefined || minor === undefined || Number.isNaN(major + minor)) return undefined;
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) return undefined;
  return `it runs Kubernetes ${major}.${minor}, whose API server does not keep the fence itself: bring it to ${oldest.major}.${oldest.minor} or newer`;
}

async function istioProblem(connection: Connection): Promise<string | undefined> {
  const what = "install Istio 1.22 or newer with its sidecars";
  const answer = await connection.request("GET", istioGroup).catch((error: unknown) => {
    if (isStatus(error, 404)) return undefined;
    throw error;
  });
  if (answer === undefined) return `it has no Istio (networking.istio.io/v1 is not known there): ${what}`;
  const group = Group.safeParse(answer);
  if (!group.success) return undefined;
  const missing = ["virtualservices", "destinationrules"].filter(
    (name) => !group.data.resources.some((resource) => resource.name === name),
  );
  return missing.length === 0 ? undefined : `its Istio lacks ${missing.join(" and ")}: ${what}`;
}

async function rightsProblem(connection: Connection, account: RegionAccount | undefined): Promise<string | undefined> {
  if ((await isAllowed(connection, writesRoutes)) === false)
    return `this account may not write VirtualServices: ${install}, and use its service accounts`;
  if (account === undefined) return undefined;
  const deploys = await isAllowed(connection, makesWorkloads);
  if (account === "orchestrator" && deploys === false)
    return `this account may not make Deployments: ${install}, and use its service account orchestrator`;
  if (account === "rollback-controller" && deploys === true)
    return `the rollback-controller's account may do more than lower there: give it a kubeconfig of its own with the service account rollback-controller of deploy/regions (rollback_controller in the regions file)`;
  return undefined;
}

/** The policies may be missing, or know this identity by no name. Who may not even make a namespace cannot be tried by one. */
async function policyProblem(connection: Connection, account: RegionAccount | undefined): Promise<string | undefined> {
  if (account === undefined || (await isAllowed(connection, makesNamespaces)) !== true) return undefined;
  return policiesProblem(connection, account);
}

/** Undefined: the region does not say. */
async function isAllowed(connection: Connection, resourceAttributes: object): Promise<boolean | undefined> {
  const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  const body = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes } };
  const answer = await connection.request("POST", path, { body }).catch((error: unknown) => {
    if (error instanceof ApiStatus) return undefined;
    throw error;
  });
  const read = Review.safeParse(answer);
  return read.success ? read.data.status.allowed : undefined;
}

async function namespaceProblem(
  connection: Connection,
  environment: string,
  { istio_revision: revision }: RegionAccess,
  injectors: Injectors | undefined,
): Promise<string | undefined> {
  const answer = await connection.request("GET", `${namespaces}/${environment}`).catch((error: unknown) => {
    if (error instanceof ApiStatus) return error;
    throw error;
  });
  if (isStatus(answer, 404)) return futureProblem(environment, revision, injectors);
  const read = Namespace.safeParse(answer);
  if (!read.success) return undefined;
  const { labels } = read.data.metadata;
  const sidecars = sidecarArguments(revision);
  const label = `kubectl label --overwrite namespace ${environment}`;
  if (labels["istio.io/dataplane-mode"] === "ambient")
    return `namespace ${environment} is in ambient mode, in which the weights of a VirtualService count for nothing: ${label} istio.io/dataplane-mode- ${sidecars}, and start its pods anew`;
  const injection = labels["istio-injection"];
  // Istio heeds a revision only where the other label says nothing.
  const injected = injection === "enabled" || (injection === undefined && labels["istio.io/rev"] !== undefined);
  if (labels["app.kubernetes.io/managed-by"] !== "slipway")
    return `namespace ${environment} was made by somebody else, so that every write to it is refused: ${label} app.kubernetes.io/managed-by=slipway${injected ? "" : ` ${sidecars}`}`;
  const without = "without which no request is split or counted";
  const or = revision === undefined ? " (or istio.io/rev=REVISION)" : "";
  if (!injected)
    return `namespace ${environment} gets no sidecars, ${without}: ${label} ${sidecars}${or}, and start its pods anew`;
  if (injectors === undefined || injectors.heed(labels)) return undefined;
  return `namespace ${environment} gets no sidecars, ${without}, since no webhook of Istio heeds its labels${heeded(injectors)}: ${label} ${sidecarArguments(offered(injectors))}, and start its pods anew`;
}

/** Of the namespaces that Slipway is still to make there. */
function futureProblem(
  environment: string,
  revision: string | undefined,
  injectors: Injectors | undefined,
): string | undefined {
  const { name, labels } = namespaceObject(environment, revision).metadata;
  if (injectors === undefined || injectors.heed({ ...labels, "kubernetes.io/metadata.name": name })) return undefined;
  const [label] = Object.entries(sidecarLabel(revision)).map((pair) => pair.join("="));
  return `namespaces that Slipway makes there get no sidecars, since no webhook of Istio heeds ${label}${heeded(injectors)}: name the revision of its Istio as istio_revision in the regions file`;
}

function heeded({ revisions }: Injectors): string {
  return revisions.length === 0 ? "" : ` (they heed istio.io/rev=${revisions.join(", ")})`;
}

/** The one revision that there is; of several the operator knows. */
function offered({ heed, revisions }: Injectors): string | undefined {
  if (heed(sidecarLabel(undefined))) return undefined;
  return revisions.length === 1 ? revisions[0] : "REVISION";
}

const PullSecret = z.looseObject({ type: z.string() });

/** Only that it is there, and of the kind that nodes read. */
async function pullSecretProblem(
  connection: Connection,
  environment: string,
  { pull_secret: name }: RegionAccess,
): Promise<string | undefined> {
  if (name === undefined) return undefined;
  const make = `kubectl create secret docker-registry ${name} -n ${environment} --docker-server=HOST --docker-username=node-agent --docker-password=TOKEN`;
  const namespace = `${namespaces}/${environment}`;
  const missing = `namespace ${environment} has no Secret ${name}, with which its nodes are to pull images: ${make}`;
  try {
    // A namespace that is not there yet can hold none.
    await connection.request("GET", namespace);
    const { type } = PullSecret.parse(await connection.request("GET", `${namespace}/secrets/${name}`));
    return type === "kubernetes.io/dockerconfigjson"
      ? undefined
      : `the Secret ${name} of namespace ${environment} is of type ${type}, which no node reads: delete it, and ${make}`;
  } catch (error) {
    if (isStatus(error, 404) && error.message.includes(name)) return missing;
    if (error instanceof ApiStatus || error instanceof z.ZodError) return undefined;
    throw error;
  }
}
