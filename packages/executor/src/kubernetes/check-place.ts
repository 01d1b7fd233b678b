import { type Connection, isStatus } from "@slipway/cluster";
import { z } from "zod";
import { defaultLimits } from "../limits.ts";
import type { IsolationRefused } from "../types.ts";
import { jobManifest } from "./manifests.ts";
import { type KubernetesPlace, placeOfBuilder } from "./place.ts";

/** What the account has to be allowed in the namespace, and nothing else. */
export const neededRights: readonly (readonly [verbs: readonly string[], group: string, resource: string])[] = [
  [["create", "get", "patch", "delete", "deletecollection"], "batch", "jobs"],
  [["create"], "", "secrets"],
  [["list", "watch"], "", "pods"],
  [["list"], "", "events"],
  [["list"], "networking.k8s.io", "networkpolicies"],
];

const Review = z.looseObject({ status: z.looseObject({ allowed: z.boolean() }) });
const Policies = z.looseObject({
  items: z.array(
    z.looseObject({
      spec: z.looseObject({
        podSelector: z.looseObject({ matchLabels: z.unknown(), matchExpressions: z.unknown() }).partial(),
        policyTypes: z.array(z.string()).nullish(),
        ingress: z.array(z.unknown()).nullish(),
        egress: z.array(z.unknown()).nullish(),
      }),
    }),
  ),
});
const remedy =
  "Install the chart with builds.executor=kubernetes, or apply what its templates/builds.yaml makes (docs/guides/builds-on-kubernetes.md, Builds).";

/** Why steps cannot run there, or undefined. Throws where the API does not answer. */
export async function checkPlace(
  connection: Connection,
  place: KubernetesPlace,
): Promise<IsolationRefused | undefined> {
  const { builder } = place;
  const refused = await checkNamespace(connection, place, undefined);
  if (refused !== undefined || builder === undefined) return refused;
  return checkNamespace(connection, placeOfBuilder(place, builder), builder.image);
}

/** `builds`: the image by which Dockerfiles are built there. */
async function checkNamespace(
  connection: Connection,
  place: KubernetesPlace,
  builds: string | undefined,
): Promise<IsolationRefused | undefined> {
  const { namespace } = place;
  const missing = await missingRights(connection, namespace);
  if (missing.length > 0)
    return refused(`the account of the build-service may not ${missing.join(", ")} in the namespace ${namespace}`);
  const about = { identity: "check", run: "check", timeoutMs: 60_000, limits: defaultLimits };
  const job = { ...about, image: builds, builds: builds !== undefined };
  const path = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  try {
    await connection.request("POST", path, {
      query: { dryRun: "All" },
      body: jobManifest(place, { ...job, network: "none" }),
    });
  } catch (error) {
    if (!isStatus(error, 400, 403, 404, 422)) throw error;
    return refused(`the cluster would not take a step's Job in the namespace ${namespace}: ${error.message}`);
  }
  return (await deniesByDefault(connection, namespace))
    ? undefined
    : refused(`no NetworkPolicy of the namespace ${namespace} denies its pods what no other one allows`);
}

async function missingRights(connection: Connection, namespace: string): Promise<string[]> {
  const asked = neededRights.flatMap(([verbs, group, resource]) => verbs.map((verb) => ({ verb, group, resource })));
  const answers = await Promise.all(
    asked.map(async (right) => {
      const body = {
        ...{ apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview" },
        spec: { resourceAttributes: { namespace, ...right } },
      };
      const answer = await connection.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
        body,
      });
      return Review.parse(answer).status.allowed ? [] : [`${right.verb} ${right.resource}`];
    }),
  );
  return answers.flat();
}

/** Whether some policy selects every pod for both directions and lets nothing through. That the cluster heeds it nobody can see from here. */
async function deniesByDefault(connection: Connection, namespace: string): Promise<boolean> {
  const path = `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`;
  const { items } = Policies.parse(await connection.request("GET", path));
  return items.some(({ spec: { podSelector, policyTypes, ingress, egress } }) => {
    const ofAll = Object.keys(podSelector).length === 0;
    const both = ["Ingress", "Egress"].every((type) => policyTypes?.includes(type));
    return ofAll && both && (ingress ?? []).length + (egress ?? []).length === 0;
  });
}

function refused(reason: string): IsolationRefused {
  return { kind: "refused", reason, remedy };
}
