import {
  regionAccounts as accounts,
  installedRegion,
  type KubeCall,
  type RealRegion,
  realPart,
} from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RegionCluster, Target } from "../src/port.ts";
import { environment, freshTarget, grant, prepareVersions, v1, v2 } from "./support/fence-world.ts";
import { asAdmin, connectAs, regionOf } from "./support/real-region.ts";

const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];
const parts = etcd && kubernetes && crds ? { etcd, kubernetes, crds } : undefined;

const jsonPatch = "application/json-patch+json";
const mergePatch = "application/merge-patch+json";
const proven = { production: true, proven: true };
const add = (path: string, value: unknown) => ({ op: "add", path, value });
const remove = (path: string) => ({ op: "remove", path });
const annotation = (name: string) => `/metadata/annotations/slipway.dev~1${name}`;
const route = (path: string) => `/spec/http/0/${path}`;

/** Somebody has the token of the rollback-controller and the rights that deploy/regions gives it. */
describe.skipIf(parts === undefined)("with the rollback-controller's token nobody", () => {
  let real: RealRegion;
  let thief: KubeCall;
  let region: RegionCluster;
  let lowering: RegionCluster;
  let count = 0;

  beforeAll(async () => {
    real = await installedRegion(parts!);
    thief = real.callAs(await real.tokenOf(accounts.rollbackController));
    const admin = await asAdmin(real);
    await prepareVersions(admin);
    await admin.close();
    region = regionOf(await connectAs(real, "orchestrator"));
    lowering = regionOf(await connectAs(real, "rollbackController"));
  });
  afterAll(async () => {
    await lowering?.close();
    await region?.close();
    await real?.stop();
  });

  const collection = `/apis/networking.istio.io/v1/namespaces/${environment}/virtualservices`;
  const services = `/api/v1/namespaces/${environment}/services`;

  /** v1 at 95, v2 at 5, the fence at 2/2/open/D-2; first stands the base Service with 0. */
  async function underWay(): Promise<Target> {
    count += 1;
    const connection = await connectAs(real, "orchestrator");
    const target = await freshTarget(connection, count);
    await connection.close();
    return target;
  }

  /** v2 has everything and the base Service has followed it: what a lowering turns back. */
  async function followed(): Promise<Target> {
    const target = await underWay();
    const all = { ...grant(2), baseline: v1, canary: v2, percent: 100, exposure: proven };
    expect(await region.raise(target, all)).toMatchObject({ kind: "raised" });
    expect(await region.follow(target, { epoch: grant(2).epoch, version: v2 })).toEqual({ kind: "done" });
    return target;
  }

  const next = add(annotation("fence"), "2/3/open/D-2");

  test.each([
    ["redirects", [remove(route("route")), add(route("redirect"), { authority: v2 })]],
    ["redirects beside the routes", [add(route("redirect"), { authority: v2 })]],
    ["delegates", [remove(route("route")), add(route("delegate"), { name: "x", namespace: "evil" })]],
    ["answers in its place", [add(route("directResponse"), { status: 503 })]],
    ["aborts", [add(route("fault"), { abort: { percentage: { value: 100 }, httpStatus: 500 } })]],
    ["ends early", [add(route("timeout"), "1ms")]],
    ["retries", [add(route("retries"), { attempts: 100 })]],
    ["rewrites", [add(route("rewrite"), { uri: "/evil" })]],
    ["matches less of", [add(route("match"), [{ uri: { prefix: "/nothing" } }])]],
    ["takes a header from", [add(route("headers"), { request: { remove: ["authorization"] } })]],
    ["adds a header on the way to a version to", [add(route("route/1/headers"), { request: { set: { x: "y" } } })]],
    ["allows other origins to send", [add(route("corsPolicy"), { allowOrigins: [{ exact: "*" }] })]],
    ["sends to another port", [add(route("route/1/destination/port"), { number: 81 })]],
    ["forgets a version of", [remove(route("route/2"))]],
    ["gives less than nothing of", [add(route("route/0/weight"), -5), add(route("route/1/weight"), 100)]],
  ])("%s requests", async (_, operations) => {
    const target = await underWay();

    const cheated = thief("PATCH", `${collection}/${target.service}`, [next, ...operations], jsonPatch);

    await expect(cheated).rejects.toMatchObject({
      status: expect.toBeOneOf([403, 422]),
      message: expect.stringMatching(
        /in VirtualService prod\/orders-\d+ may (change nothing but weights|add no destination|only lower)/,
      ),
    });
  });

  test.each([
    ["ends a pause", [remove(annotation("paused"))], /may change no annotation/],
    ["gives it to another control plane", [add("/metadata/labels/istio.io~1rev", "none")], /may change no annotation/],
    ["keeps it from being deleted", [add("/metadata/finalizers", ["evil.example/x"])], /may change no annotation/],
    ["opens its gate for a later epoch", [add(annotation("fence"), "3/3/open/D-3")], /may not open a gate/],
    ["gives the gate to another deployment", [add(annotation("fence"), "2/3/open/D-9")], /may not open a gate/],
    ["writes a fence that nobody can read", [add(annotation("fence"), "2/3/ajar/D-2")], /Slipway|may not open a gate/],
  ])("%s", async (_, operations, sentence) => {
    const target = await underWay();
    const paused = { metadata: { annotations: { "slipway.dev/paused": "incident 12" } } };
    await real.api("PATCH", `${collection}/${target.service}`, paused, mergePatch);

    const cheated = thief("PATCH", `${collection}/${target.service}`, [next, ...operations], jsonPatch);

    await expect(cheated).rejects.toThrow(sentence);
  });

  test("makes a VirtualService that does more than leave all requests with the base Service", async () => {
    const virtualService = (change: { annotations?: object; spec?: object }) => ({
      ...{ apiVersion: "networking.istio.io/v1", kind: "VirtualService" },
      metadata: { name: "made", annotations: { "slipway.dev/fence": "9/1/shut/D-1", ...change.annotations } },
      spec: {
        hosts: ["made"],
        http: [{ name: "slipway", route: [{ destination: { host: "made" }, weight: 100 }] }],
        ...change.spec,
      },
    });
    const toV2 = [{ name: "slipway", route: [{ destination: { host: v2 } }] }];
    for (const change of [
      { spec: { hosts: ["payments", "made"] } },
      { spec: { http: toV2 } },
      { spec: { gateways: ["mesh", "public"] } },
      { spec: { tcp: [{ route: [{ destination: { host: v2 } }] }] } },
      { annotations: { "slipway.dev/baseline": v2 } },
    ])
      await expect(thief("POST", collection, virtualService(change)), JSON.stringify(change)).rejects.toThrow(
        /may make no VirtualService but one that leaves all requests with its base Service/,
      );
    const open = virtualService({ annotations: { "slipway.dev/fence": "9/1/open/D-1" } });
    await expect(thief("POST", collection, open)).rejects.toThrow(/may make no fence but one that is shut/);

    await thief("POST", `${collection}?dryRun=All`, virtualService({}));
  });

  test("turns the base Service to any pods but the baseline's", async () => {
    const target = await followed();
    const turn = (selector: object, shut = "2") =>
      thief(
        "PATCH",
        `${services}/${target.service}?dryRun=All`,
        [add(annotation("shut"), shut), add("/spec/selector", selector)],
        jsonPatch,
      );
    const of = (version: string) => ({ "slipway.dev/service": target.service, "slipway.dev/version": version });

    const cheats = [of("orders-3333333-ccccc"), of("none"), { ...of(v1), app: "x" }, { "slipway.dev/version": v1 }, {}];
    for (const selector of cheats)
      await expect(turn(selector), JSON.stringify(selector)).rejects.toThrow(
        /may let it select the pods of the baseline orders-1111111-aaaaa only, together with slipway.dev\/shut of its epoch/,
      );
    await expect(turn(of(v1), "1")).rejects.toThrow(/together with slipway.dev\/shut of its epoch/);
    await turn(of(v1));

    expect(await lowering.lower(target, { ...grant(2), baseline: v1, canary: v2 })).toMatchObject({ kind: "shut" });
    expect(await region.readTraffic(target)).toMatchObject({ liveVersion: v1, weights: { [v1]: 100, [v2]: 0 } });
  });

  test("turns the base Service to what was the baseline before", async () => {
    const target = await followed();
    expect(await region.openFence(target, { ...grant(3), baseline: v2 })).toMatchObject({ kind: "opened" });
    const selector = { "slipway.dev/service": target.service, "slipway.dev/version": v1 };
    const back = [add(annotation("shut"), "3"), add("/spec/selector", selector)];
    const cheated = thief("PATCH", `${services}/${target.service}`, back, jsonPatch);
    await expect(cheated).rejects.toThrow(/select the pods of the baseline orders-2222222-bbbbb only/);
  });

  test("turns a base Service to a baseline of his own choice", async () => {
    const target = await followed();
    const named = { metadata: { annotations: { "slipway.dev/baseline": "orders-3333333-ccccc" } } };

    const cheated = thief("PATCH", `${services}/${target.service}`, named, mergePatch);

    await expect(cheated).rejects.toThrow(/may change nothing of it but whom it selects/);
  });

  test.each([
    ["addresses of his own", { spec: { externalIPs: ["203.0.113.9"] } }],
    ["other ports", { spec: { ports: [{ name: "http", port: 81 }] } }],
    ["requests that stay on one pod", { spec: { sessionAffinity: "ClientIP" } }],
    ["pods that are not ready", { spec: { publishNotReadyAddresses: true } }],
    ["another name", { spec: { type: "ExternalName", externalName: "evil.example" } }],
    ["another label", { metadata: { labels: { "slipway.dev/service": "payments" } } }],
    ["traffic by an annotation", { metadata: { annotations: { "networking.istio.io/exportTo": "~" } } }],
    ["a finalizer", { metadata: { finalizers: ["evil.example/x"] } }],
  ])("gives the base Service %s", async (_, change) => {
    const target = await followed();

    const cheated = thief("PATCH", `${services}/${target.service}`, change, mergePatch);

    await expect(cheated).rejects.toThrow(/may change nothing of it but whom it selects/);
  });

  test("touches the Service of a version, or makes one", async () => {
    const target = await followed();
    const selector = { "slipway.dev/service": target.service, "slipway.dev/version": v2 };
    const turned = thief("PATCH", `${services}/${v1}`, [add("/spec/selector", selector)], jsonPatch);
    await expect(turned).rejects.toThrow(/may let it select the pods of the baseline/);

    const outside = { type: "ExternalName", externalName: "evil.example" };
    const made = { apiVersion: "v1", kind: "Service", metadata: { name: "payments" }, spec: outside };
    await expect(thief("POST", services, made)).rejects.toMatchObject({ status: 403 });
  });

  test("makes a namespace but as Slipway makes it", async () => {
    const ours = { "app.kubernetes.io/managed-by": "slipway", "istio-injection": "enabled" };
    const namespace = (labels: object, more: object = {}) => ({
      ...{ apiVersion: "v1", kind: "Namespace", metadata: { name: "made", labels: { ...ours, ...labels }, ...more } },
    });
    for (const body of [
      namespace({ "pod-security.kubernetes.io/enforce": "privileged" }),
      namespace({ "istio-injection": "disabled" }),
      namespace({ "istio.io/rev": "of-both" }),
      namespace({}, { annotations: { "scheduler.alpha.kubernetes.io/node-selector": "a=b" } }),
      namespace({}, { finalizers: ["evil.example/x"] }),
    ])
      await expect(thief("POST", "/api/v1/namespaces", body), JSON.stringify(body)).rejects.toThrow(
        /may make no namespace but with the labels that Slipway gives it/,
      );

    await thief("POST", "/api/v1/namespaces?dryRun=All", namespace({}));
  });

  test("is in the way of a lowering where nothing stands any more", async () => {
    const target = { ...(await underWay()), environment: "gone" as Target["environment"] };

    expect(await lowering.lower(target, { ...grant(4), baseline: v1, canary: v2 })).toMatchObject({ kind: "shut" });

    expect(await region.readTraffic(target)).toMatchObject({
      fence: { epoch: 4, gate: "shut", holder: "D-4" },
      weights: { [target.service]: 100 },
    });
    expect(await region.openFence(target, { ...grant(5), baseline: null })).toMatchObject({ kind: "opened" });
  });

  test("is in the way of a lowering in a VirtualService of three hundred routes", async () => {
    const target = await underWay();
    const { spec } = (await real.api("GET", `${collection}/${target.service}`)) as { spec: { http: object[] } };
    const sides = Array.from({ length: 300 }, (_, number) => ({
      name: `${number % 2 === 0 ? "slipway-" : "theirs-"}${number}`,
      match: [{ uri: { prefix: `/${number}` }, headers: { "x-canary": { exact: "1" } } }],
      route: [
        { destination: { host: v1 }, weight: 50 },
        { destination: { host: v2 }, weight: 50, headers: { request: { set: { "x-side": String(number) } } } },
      ],
      ...{ timeout: "5s", retries: { attempts: 2 }, mirrors: [{ destination: { host: v2 } }] },
    }));
    const fenced = { metadata: { annotations: { "slipway.dev/fence": "2/3/open/D-2" } } };
    const changed = { ...fenced, spec: { http: [...sides, ...spec.http] } };
    await real.api("PATCH", `${collection}/${target.service}`, changed, mergePatch);

    expect(await lowering.lower(target, { ...grant(2), baseline: v1, canary: v2 })).toMatchObject({ kind: "shut" });

    expect((await region.readTraffic(target)).weights).toMatchObject({ [v1]: 100, [v2]: 0 });
  });

  test("who comes by a cloud's identity of the group is held to less", async () => {
    const target = await underWay();
    const of = (group: string) => ["--as=cloud", "--as-group=system:authenticated", `--as-group=slipway:${group}`];
    const as = of("rollback-controller");
    const change = (...operations: object[]) =>
      real.kubectl([
        ...["patch", "virtualservice", target.service, "-n", environment, "--type=json"],
        ...["-p", JSON.stringify([next, ...operations]), ...as],
      ]);

    await expect(change(add(route("timeout"), "1ms"))).rejects.toThrow(/may change nothing but weights/);
    await expect(change(add("/spec/http/0/route/2/weight", 50))).rejects.toThrow(/may only lower/);
    const made = real.kubectl(["create", "namespace", "theirs", ...of("orchestrator")]);
    await expect(made).rejects.toThrow(/Slipway writes only in/);
    await change(add("/spec/http/0/route/2/weight", 1));
    await expect(real.kubectl(["get", "pods", "-n", environment, ...as])).rejects.toThrow(/forbidden/i);
  });
});
