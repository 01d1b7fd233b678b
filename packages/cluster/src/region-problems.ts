import { z } from "zod";
import { type Connection, connect } from "./connection.ts";
import { ApiStatus, isStatus, RegionUnavailable } from "./errors.ts";
import type { RegionAccess } from "./open-regions.ts";
import { namespaces } from "./paths.ts";

const timeoutMs = 5_000;
const istioGroup = "/apis/networking.istio.io/v1";
const install = "kubectl apply -f deploy/regions";

/** What a service does in a region, of which one right stands for all: `patch` of the object that carries the weights. */
const review = {
  apiVersion: "authorization.k8s.io/v1",
  kind: "SelfSubjectAccessReview",
  spec: { resourceAttributes: { group: "networking.istio.io", resource: "virtualservices", verb: "patch" } },
};

const Review = z.looseObject({ status: z.looseObject({ allowed: z.boolean() }) });
const Group = z.looseObject({ resources: z.array(z.looseObject({ name: z.string() })) });
const Namespace = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).default({}) }),
});

/**
 * What a region lacks for deployments, each as a sentence that says what to do; none: it has all. `environments` are looked at where their
 * namespaces exist already. Never rejects. What a region does not answer (a right to look, a path it does not know) is no problem of its own.
 */
export async function regionProblems(
  region: RegionAccess,
  environments: readonly string[],
): Promise<readonly string[]> {
  const { name, kubeconfig, context } = region;
  const say = (text: string) => `region ${name}: ${text}`;
  let connection: Connection | undefined;
  try {
    connection = await connect({ region: name, kubeconfig, context, timeoutMs });
    await connection.request("GET", "/version");
    const found = [
      await istioProblem(connection),
      await rightsProblem(connection),
      ...(await Promise.all(environments.map((one) => namespaceProblem(connection as Connection, one)))),
    ];
    return found.filter((problem) => problem !== undefined).map(say);
  } catch (error) {
    return [say(reachProblem(error, region))];
  } finally {
    await connection?.close().catch(() => undefined);
  }
}

/** Why nothing at all can be asked there. */
function reachProblem(error: unknown, { kubeconfig, context }: RegionAccess): string {
  const renew = `put a valid token into ${kubeconfig} (kubectl create token orchestrator -n slipway-system)`;
  if (isStatus(error, 401)) return `its API refuses the credentials: ${renew}`;
  if (isStatus(error, 403)) return `its API lets this account ask nothing: ${install}, and use its service accounts`;
  if (error instanceof ApiStatus) return `its API answers ${error.status} ${error.reason}: see the server's own log`;
  const codes = codesOf(error);
  if (codes.includes("ECONNREFUSED")) return `nothing listens where ${kubeconfig} says: correct \`server\` there`;
  if (/ENOTFOUND|EAI_AGAIN/.test(codes))
    return `the host of \`server\` in ${kubeconfig} is not known: correct it there`;
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/.test(codes))
    return `its certificate is not trusted: correct \`certificate-authority-data\` in ${kubeconfig}`;
  const words = error instanceof Error ? error.message.replace(/^region [^:]*: /, "") : String(error);
  if (/no context|cannot be read/.test(words))
    return `${words}: correct \`kubeconfig\` and \`context\` in the regions file`;
  if (error instanceof RegionUnavailable) return `${words}: see that ${kubeconfig} (context ${context}) reaches it`;
  return `${kubeconfig} cannot be used (${words.slice(0, 200)})`;
}

function codesOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const inner = error instanceof AggregateError ? error.errors.map(codesOf).join(" ") : codesOf(error.cause);
  return `${code} ${inner}`;
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

async function rightsProblem(connection: Connection): Promise<string | undefined> {
  const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  const answer = await connection.request("POST", path, { body: review }).catch((error: unknown) => {
    if (error instanceof ApiStatus) return undefined;
    throw error;
  });
  const read = Review.safeParse(answer);
  return read.success && !read.data.status.allowed
    ? `this account may not write VirtualServices: ${install}, and use its service accounts`
    : undefined;
}

async function namespaceProblem(connection: Connection, environment: string): Promise<string | undefined> {
  const answer = await connection.request("GET", `${namespaces}/${environment}`).catch((error: unknown) => {
    if (error instanceof ApiStatus) return undefined;
    throw error;
  });
  const read = Namespace.safeParse(answer);
  if (!read.success) return undefined;
  const { labels } = read.data.metadata;
  const label = `kubectl label --overwrite namespace ${environment}`;
  if (labels["istio.io/dataplane-mode"] === "ambient")
    return `namespace ${environment} is in ambient mode, in which the weights of a VirtualService count for nothing: ${label} istio.io/dataplane-mode- istio-injection=enabled, and start its pods anew`;
  if (labels["istio-injection"] === "disabled")
    return `namespace ${environment} gets no sidecars, without which no request is split or counted: ${label} istio-injection=enabled, and start its pods anew`;
  if (labels["app.kubernetes.io/managed-by"] !== "slipway")
    return `namespace ${environment} was made by somebody else, so that every write to it is refused: ${label} app.kubernetes.io/managed-by=slipway`;
  return undefined;
}
