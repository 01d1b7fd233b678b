import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Epoch } from "@slipway/kernel";
import {
  regionAccounts as accounts,
  installedRegion,
  type KubeCall,
  regionManifestFiles as manifestFiles,
  regionManifests as manifests,
  type RealRegion,
  realPart,
  until,
} from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RegionCluster, Target } from "../src/port.ts";
import { environment, freshTarget, grant, prepareVersions, v1, v2 } from "./support/fence-world.ts";
import { asAdmin, connectAs, regionOf } from "./support/real-region.ts";

const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];
const parts = etcd && kubernetes && crds ? { etcd, kubernetes, crds } : undefined;

const jsonPatch = "application/json-patch+json";
const mergePatch = "application/merge-patch+json";
const fence = "/metadata/annotations/slipway.dev~1fence";
const weight = (place: number) => `/spec/http/0/route/${place}/weight`;
const inProd = `/api/v1/namespaces/${environment}`;

describe.skipIf(parts === undefined)("a region as deploy/regions makes it", () => {
  let real: RealRegion;
  let orchestrator: KubeCall;
  let controller: KubeCall;
  let stranger: KubeCall;
  let region: RegionCluster;
  let count = 0;

  beforeAll(async () => {
    real = await installedRegion(parts!);
    orchestrator = real.callAs(await real.tokenOf(accounts.orchestrator));
    controller = real.callAs(await real.tokenOf(accounts.rollbackController));
    const admin = await asAdmin(real);
    await prepareVersions(admin);
    await admin.close();
    await real.kubectl(["create", "serviceaccount", "stranger", "-n", environment]);
    const asEditor = ["--clusterrole=cluster-admin", `--serviceaccount=${environment}:stranger`];
    await real.kubectl(["create", "clusterrolebinding", "stranger", ...asEditor]);
    stranger = real.callAs(await real.tokenOf({ namespace: environment, name: "stranger" }));
    region = regionOf(await connectAs(real, "orchestrator"));
  });
  afterAll(async () => {
    await region?.close();
    await real?.stop();
  });

  const pathOf = ({ service }: Target) =>
    `/apis/networking.istio.io/v1/namespaces/${environment}/virtualservices/${service}`;

  /** v1 at 95, v2 at 5, the fence at 2/2/open/D-2; first stands the base Service with 0. */
  async function underWay(): Promise<Target> {
    count += 1;
    const connection = await connectAs(real, "orchestrator");
    const target = await freshTarget(connection, count);
    await connection.close();
    return target;
  }

  const set = (path: string, value: unknown) => ({ op: "add", path, value });
  const patch = (as: KubeCall, target: Target, ...operations: object[]) =>
    as("PATCH", pathOf(target), operations, jsonPatch);

  test("takes the manifests again without a change, and finds nothing wrong with its policies", async () => {
    for (const file of manifestFiles) {
      const said = await real.kubectl(["apply", "--dry-run=server", "-f", join(manifests, file)]);
      expect(said.trim().split("\n")).toSatisfy((lines: string[]) => lines.every((line) => line.includes("unchanged")));
    }
    const path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
    type Policies = {
      items: { status?: { observedGeneration?: number; typeChecking?: { expressionWarnings?: [] } } }[];
    };
    const checked = await until(
      async () => {
        const { items } = (await real.api("GET", path)) as Policies;
        return items.every(({ status }) => status?.observedGeneration !== undefined) ? items : undefined;
      },
      { what: "the policies are checked", timeoutMs: 60_000 },
    );
    expect(checked).toHaveLength(5);
    expect(checked.flatMap(({ status }) => status?.typeChecking?.expressionWarnings ?? [])).toEqual([]);
  });

  test("are applied anew while weights move: nothing of Slipway's is refused meanwhile, and no cheat let through", async () => {
    const target = await underWay();
    // Each object is another one by that, and every expression is read again.
    const changed = (text: string) => text.replaceAll("reason: Forbidden", "reason: Invalid");
    const apply = async (change: (text: string) => string) => {
      for (const file of manifestFiles)
        await real.kubectl(["apply", "-f", "-"], change(readFileSync(join(manifests, file), "utf8")));
    };
    let applied = false;
    const applying = apply(changed)
      .then(() => apply((text) => text))
      .finally(() => {
        applied = true;
      });

    let seq = 2;
    do {
      seq += 1;
      const share = seq % 50;
      const [fenced, back] = [set(fence, `2/${seq}/open/D-2`), set(fence, "1/9/open/D-1")];
      await patch(orchestrator, target, fenced, set(weight(1), 100 - share), set(weight(2), share));
      await expect(patch(stranger, target, back)).rejects.toThrow(/only grows/);
      await expect(
        patch(controller, target, set(fence, `2/${seq + 1}/open/D-2`), set(weight(1), 40), set(weight(2), 60)),
      ).rejects.toThrow(/may only lower/);
    } while (!applied);

    await applying;
    expect(seq).toBeGreaterThan(5);
  });

  describe("the fence", () => {
    test.each([
      ["an older epoch", "1/9/open/D-1"],
      ["an older seq", "2/1/open/D-2"],
      ["another fence of the same seq", "2/2/shut/D-7"],
    ])("does not go back to %s, whoever writes it", async (_, value) => {
      const target = await underWay();

      for (const cheat of [stranger, orchestrator]) {
        await expect(patch(cheat, target, set(fence, value))).rejects.toThrow(
          new RegExp(
            `the fence of VirtualService prod/${target.service} only grows: ${value} does not follow 2/2/open/D-2`,
          ),
        );
      }
    });

    test("that was shut is not opened again for its epoch", async () => {
      const target = await underWay();
      await region.lower(target, { ...grant(2), baseline: v1, canary: v2 });

      const reopened = patch(stranger, target, set(fence, "2/9/open/D-2"));

      await expect(reopened).rejects.toThrow(/is shut for epoch 2 and opens again only under a higher one/);
      expect(await region.openFence(target, { ...grant(3), baseline: v1 })).toMatchObject({ kind: "opened" });
    });

    test("goes with every change of routes and of the baseline by Slipway, and is removed by persons only", async () => {
      const target = await underWay();

      await expect(patch(orchestrator, target, set(weight(2), 50))).rejects.toThrow(/must grow with every change/);
      const renamed = patch(orchestrator, target, set("/metadata/annotations/slipway.dev~1baseline", v2));
      await expect(renamed).rejects.toThrow(/must grow with every change of its routes or its baseline/);
      const removal = { op: "remove", path: fence };
      await expect(patch(orchestrator, target, removal)).rejects.toThrow(/may not be removed by Slipway/);
      await patch(stranger, target, set(weight(2), 50));
      await patch(stranger, target, removal);
      expect(await region.readTraffic(target)).toMatchObject({ fence: null });
    });
  });

  describe("the rollback-controller's account", () => {
    const next = set(fence, "2/3/open/D-2");

    test("gives the canary less, and everything back", async () => {
      const target = await underWay();

      await patch(controller, target, next, set(weight(1), 99), set(weight(2), 1));
      await patch(controller, target, set(fence, "2/4/shut/D-2"), set(weight(1), 100), set(weight(2), 0));

      expect(await region.readTraffic(target)).toMatchObject({
        weights: { [v1]: 100, [v2]: 0 },
        fence: { gate: "shut" },
      });
    });

    test("knows the routes of its region, so that a lowering begins with its write", async () => {
      const target = await underWay();

      const { items } = (await controller("GET", "/apis/networking.istio.io/v1/virtualservices")) as {
        items: { metadata: { name: string } }[];
      };

      expect(items.map(({ metadata }) => metadata.name)).toContain(target.service);
    });

    test.each([
      ["gives the canary more", [set(weight(1), 90), set(weight(2), 10)]],
      ["gives the canary more by giving the baseline less", [set(weight(1), 20)]],
      [
        "leaves the canary alone in the route",
        [
          { op: "remove", path: "/spec/http/0/route/1" },
          { op: "remove", path: "/spec/http/0/route/0" },
        ],
      ],
      ["gives the base Service requests", [set(weight(0), 50), set(weight(1), 45)]],
      ["takes all weights away", [set(weight(1), 0), set(weight(2), 0)]],
    ])("never %s", async (_, operations) => {
      const target = await underWay();

      await expect(patch(controller, target, next, ...operations)).rejects.toThrow(
        /the rollback-controller in VirtualService prod\/orders-\d+ may only lower: no share of requests grows/,
      );
    });

    test.each([
      [
        "another destination",
        [set("/spec/http/0/route/-", { destination: { host: "elsewhere" }, weight: 0 })],
        /no destination but the baseline/,
      ],
      [
        "another route",
        [set("/spec/http/0", { name: "slipway-first", route: [{ destination: { host: v2 } }] })],
        /weights of routes of Slipway only/,
      ],
      ["another host", [set("/spec/hosts/-", "elsewhere")], /weights of routes of Slipway only/],
      ["another baseline", [set("/metadata/annotations/slipway.dev~1baseline", v2)], /may not name another baseline/],
      ["a mirror", [set("/spec/http/0/mirror", { host: v2 })], /may not mirror requests/],
    ])("never names %s", async (_, operations, sentence) => {
      const target = await underWay();

      await expect(patch(controller, target, next, ...operations)).rejects.toThrow(sentence);
    });

    test("makes no open fence, and turns the base Service only with the mark of its lowering", async () => {
      const target = await underWay();
      const made = {
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata: { name: "made", annotations: { "slipway.dev/fence": "2/1/open/D-2" } },
        spec: { hosts: ["made"], http: [{ name: "slipway", route: [{ destination: { host: v2 } }] }] },
      };
      const collection = pathOf(target).slice(0, -target.service.length - 1);
      await expect(controller("POST", collection, made)).rejects.toThrow(/may make no fence but one that is shut/);

      const selector = { "slipway.dev/service": target.service, "slipway.dev/version": v2 };
      const turn = controller("PATCH", `${inProd}/services/${target.service}`, { spec: { selector } }, mergePatch);
      await expect(turn).rejects.toThrow(
        /select the pods of the baseline .* only, together with slipway.dev\/shut of its epoch/,
      );
    });

    test.each([
      ["reads no Secret", "GET", `${inProd}/secrets/any`],
      ["lists no pods", "GET", `${inProd}/pods`],
      [
        "deletes no VirtualService",
        "DELETE",
        `/apis/networking.istio.io/v1/namespaces/${environment}/virtualservices/any`,
      ],
      ["scales no Deployment", "PATCH", `/apis/apps/v1/namespaces/${environment}/deployments/any`],
    ] as const)("%s", async (_, method, path) => {
      const asked = controller(method, path, method === "PATCH" ? {} : undefined, mergePatch);
      await expect(asked).rejects.toMatchObject({ status: 403, message: expect.stringContaining("forbidden") });
    });
  });

  describe("the orchestrator's account", () => {
    test("writes only where a namespace is Slipway's, and says how to hand one over", async () => {
      await real.kubectl(["create", "namespace", "others"]);
      const target = { environment: "others", service: "orders" } as unknown as Target;

      const opened = region.openFence(target, { epoch: 1 as Epoch, deployment: grant(1).deployment, baseline: null });

      await expect(opened).rejects.toThrow(
        /kubectl label namespace others app.kubernetes.io\/managed-by=slipway istio-injection=enabled/,
      );
      const unlabelled = { apiVersion: "v1", kind: "Namespace", metadata: { name: "mine" } };
      await expect(orchestrator("POST", "/api/v1/namespaces", unlabelled)).rejects.toThrow(/which mine lacks/);
    });

    test("leaves other people's Secrets and Deployments alone", async () => {
      await real.kubectl(["create", "secret", "generic", "theirs", "-n", environment, "--from-literal=a=b"]);

      const deleted = orchestrator("DELETE", `${inProd}/secrets/theirs`);

      await expect(deleted).rejects.toThrow(/secrets theirs is not of Slipway/);
    });

    test.each([
      ["lists no Secrets", "GET", `${inProd}/secrets`],
      ["makes no pods", "POST", `${inProd}/pods`],
      [
        "deletes no VirtualService",
        "DELETE",
        `/apis/networking.istio.io/v1/namespaces/${environment}/virtualservices/any`,
      ],
      ["deletes no namespace", "DELETE", inProd],
      ["gives nobody rights", "POST", `/apis/rbac.authorization.k8s.io/v1/namespaces/${environment}/rolebindings`],
    ] as const)("%s", async (_, method, path) => {
      const asked = orchestrator(method, path, method === "POST" ? {} : undefined);
      await expect(asked).rejects.toMatchObject({ status: 403 });
    });
  });
});
