import { z } from "zod";
import type { Connection } from "./connection.ts";
import { ApiStatus } from "./errors.ts";
import { fenceAnnotation, formatFence, nextFence, parseFence } from "./fence.ts";
import { allVirtualServices, namespaces, virtualServices } from "./paths.ts";
import type { Target } from "./port.ts";

export const install = "kubectl apply -f deploy/regions";

/** Who works in a region: each has an account of its own there (deploy/regions). */
export type RegionAccount = "orchestrator" | "rollback-controller";

/** A write that the policies of one file refuse, and of no other, tried without taking hold. Undefined: there is nothing to try it on. */
type Trial = { readonly file: string; readonly taken: (connection: Connection) => Promise<boolean | undefined> };

const managed = { "app.kubernetes.io/managed-by": "slipway" };

const trials: Readonly<Record<RegionAccount, readonly Trial[]>> = {
  orchestrator: [{ file: "3-policies.yaml", taken: (connection) => takesNamespace(connection, {}) }],
  "rollback-controller": [
    // With sidecars and of nobody; of Slipway and without sidecars.
    { file: "3-policies.yaml", taken: (connection) => takesNamespace(connection, { "istio-injection": "enabled" }) },
    { file: "4-rollback-only-lowers.yaml", taken: takesLabel },
    { file: "5-rollback-makes-little.yaml", taken: (connection) => takesNamespace(connection, managed) },
  ],
};

/** What an account could write there although a policy of deploy/regions forbids it, by the files that are missing. */
export async function policiesProblem(connection: Connection, account: RegionAccount): Promise<string | undefined> {
  const tried: { readonly file: string; readonly taken: boolean | undefined }[] = [];
  for (const { file, taken } of trials[account]) tried.push({ file, taken: await taken(connection) });
  const missing = tried.filter(({ taken }) => taken === true).map(({ file }) => file);
  if (missing.length === 0) return undefined;
  const holding = tried.some(({ taken }) => taken === false);
  const what = holding ? `no policy of ${missing.join(" and ")} holds this account` : "no policy holds this account";
  return `${what} to what it may write there: ${install}, and use its service account ${account}, or an identity of the group slipway:${account}`;
}

async function takesNamespace(connection: Connection, labels: object): Promise<boolean> {
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { generateName: "slipway-doctor-", labels } };
  return isTaken(connection.request("POST", namespaces, { body, query: { dryRun: "All" } }));
}

const Routes = z.looseObject({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({
        name: z.string(),
        namespace: z.string(),
        annotations: z.record(z.string(), z.string()).default({}),
      }),
    }),
  ),
});

/**
 * A label on a VirtualService of Slipway, together with a fence that lowers as it should: that one is no business of another file's. Where nothing was deployed
 * yet there is none.
 */
async function takesLabel(connection: Connection): Promise<boolean | undefined> {
  const labelSelector = Object.entries(managed)
    .map((pair) => pair.join("="))
    .join(",");
  const answer = await connection
    .request("GET", allVirtualServices, { query: { labelSelector, limit: "10" } })
    .catch((error: unknown) => {
      if (error instanceof ApiStatus) return undefined;
      throw error;
    });
  for (const { metadata } of Routes.safeParse(answer).data?.items ?? []) {
    const fence = parseFence(metadata.annotations[fenceAnnotation]);
    if (fence === null) continue;
    const annotations = { [fenceAnnotation]: formatFence(nextFence(fence, { ...fence, gate: "shut" })) };
    const body = { metadata: { annotations, labels: { "slipway.dev/doctor": "tried" } } };
    const path = `${virtualServices({ environment: metadata.namespace } as Pick<Target, "environment">)}/${metadata.name}`;
    const contentType = "application/merge-patch+json";
    return isTaken(connection.request("PATCH", path, { body, contentType, query: { dryRun: "All" } }));
  }
  return undefined;
}

async function isTaken(request: Promise<unknown>): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (error instanceof ApiStatus) return false;
    throw error;
  }
}
