import { readdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../until.ts";
import { type RealRegion, type RegionParts, startRegion } from "./kubernetes.ts";

/** What a region needs of Slipway, as somebody who installs it applies it. */
export const regionManifests = join(import.meta.dirname, "../../../../deploy/regions");
export const regionManifestFiles = readdirSync(regionManifests).filter((file) => file.endsWith(".yaml"));

/** Slipway's accounts in a region. */
export const regionAccounts = {
  orchestrator: { namespace: "slipway-system", name: "orchestrator" },
  rollbackController: { namespace: "slipway-system", name: "rollback-controller" },
} as const;

/** A region on which `kubectl apply -f deploy/regions` was run. */
export async function installedRegion(parts: RegionParts): Promise<RealRegion> {
  const real = await startRegion(parts);
  try {
    await real.kubectl(["apply", "-f", regionManifests]);
    await untilEnforced(real);
    return real;
  } catch (error) {
    await real.stop();
    throw error;
  }
}

const probes = "slipway-probe";
const istio = "networking.istio.io/v1";
const jsonPatch = "application/json-patch+json";

/** A policy takes hold some moments after it was written, each in its own time: until every one of them refuses what it is for. */
async function untilEnforced({ api, callAs, tokenOf }: RealRegion): Promise<void> {
  const labels = { "app.kubernetes.io/managed-by": "slipway", "istio-injection": "enabled" };
  await api("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: probes, labels } });
  const routes = (namespace: string) => `/apis/${istio}/namespaces/${namespace}/virtualservices`;
  const services = `/api/v1/namespaces/${probes}/services`;
  await api("POST", routes(probes), fenced("probe", "9/9/open/D-9"));
  await api("POST", services, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "probe" },
    spec: { ports: [{ port: 80 }] },
  });

  const controller = callAs(await tokenOf(regionAccounts.rollbackController));
  const fence = (value: string) => ({ op: "replace", path: "/metadata/annotations/slipway.dev~1fence", value });
  const redirect = { op: "add", path: "/spec/http/0/redirect", value: { authority: "elsewhere" } };
  const label = { op: "add", path: "/metadata/labels", value: { a: "b" } };
  const probe = `${routes(probes)}/probe?dryRun=All`;
  const tries: readonly [what: string, refusal: RegExp, attempt: () => Promise<unknown>][] = [
    ["slipway-fence", /slipway|fence/i, () => api("PATCH", probe, [fence("9/8/open/D-9")], jsonPatch)],
    [
      "slipway-environments",
      /writes only in namespaces/,
      () => controller("POST", `${routes("default")}?dryRun=All`, fenced("other", "9/1/shut/D-9")),
    ],
    [
      "slipway-rollback-only-lowers",
      /may change nothing but weights|may only lower|may add no destination/,
      () => controller("PATCH", probe, [fence("9/10/shut/D-9"), redirect], jsonPatch),
    ],
    [
      "slipway-rollback-makes-little",
      /may make no fence but one that is shut/,
      () => controller("POST", `${routes(probes)}?dryRun=All`, fenced("other", "9/1/open/D-9")),
    ],
    [
      "slipway-rollback-base-service",
      /may change nothing of it/,
      () => controller("PATCH", `${services}/probe?dryRun=All`, [label], jsonPatch),
    ],
  ];
  for (const [what, refusal, attempt] of tries) {
    let last = "it was let through";
    const refused = () =>
      attempt().then(
        () => false,
        (error: Error) => {
          last = error.message;
          return refusal.test(last);
        },
      );
    await until(refused, { what: `the policy ${what} to refuse`, timeoutMs: 60_000 }).catch((error: unknown) => {
      throw new Error(`${what}: ${last}`, { cause: error });
    });
  }
  await api("DELETE", `/api/v1/namespaces/${probes}`);
}

function fenced(name: string, fence: string) {
  const spec = { hosts: [name], http: [{ name: "slipway", route: [{ destination: { host: name }, weight: 100 }] }] };
  const metadata = { name, annotations: { "slipway.dev/fence": fence } };
  return { apiVersion: istio, kind: "VirtualService", metadata, spec };
}
