import { request as httpsRequest } from "node:https";
import { until } from "@slipway/testkit";
import { describe, expect, test } from "vitest";
import {
  configMap,
  configMaps,
  deployment,
  deploymentsPath,
  pod,
  podsPath,
  virtualService,
  virtualServices,
} from "./support/objects.ts";
import { jsonPatch, mergePatch, testRegion } from "./support/region.ts";

describe("creating", () => {
  test("an object gets a uid, a resourceVersion, a time and, where it counts, a generation", async () => {
    const { send } = await testRegion();

    const { status, body } = await send("POST", virtualServices, virtualService("orders", { orders: 100 }));

    expect(status).toBe(201);
    expect(body.metadata).toMatchObject({ name: "orders", namespace: "prod", generation: 1 });
    expect(body.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(Number(body.metadata.resourceVersion)).toBeGreaterThan(0);
    expect(body.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  test("the same name twice is 409 AlreadyExists, worded as the real server does", async () => {
    const { send } = await testRegion();
    await send("POST", deploymentsPath, deployment("orders", 0));

    const { status, body } = await send("POST", deploymentsPath, deployment("orders", 0));

    expect(status).toBe(409);
    expect(body).toEqual({
      ...{ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code: 409, reason: "AlreadyExists" },
      message: 'deployments.apps "orders" already exists',
      details: { name: "orders", group: "apps", kind: "deployments" },
    });
  });

  test("generateName is completed", async () => {
    const { send } = await testRegion();

    const { body } = await send("POST", configMaps, { metadata: { generateName: "run-" } });

    expect(body.metadata.name).toMatch(/^run-[a-z0-9]{5}$/);
  });

  test("a namespace that is not there is 404", async () => {
    const { send } = await testRegion();

    const { status, body } = await send("POST", "/api/v1/namespaces/none/configmaps", configMap("a"));

    expect(status).toBe(404);
    expect(body).toMatchObject({ reason: "NotFound", message: 'namespaces "none" not found' });
  });

  test("a dry run answers what would be and leaves nothing", async () => {
    const { send } = await testRegion();

    const { status } = await send("POST", `${configMaps}?dryRun=All`, configMap("a"));

    expect(status).toBe(201);
    expect((await send("GET", `${configMaps}/a`)).status).toBe(404);
  });

  test.each([
    ["a bad name", configMaps, configMap("Bad_Name"), "metadata.name"],
    ["no containers", podsPath, { metadata: { name: "p" }, spec: { containers: [] } }, "spec.containers"],
    ["labels that are no texts", configMaps, { metadata: { name: "a", labels: { a: 1 } } }, "metadata.labels.a"],
    ["no hosts", virtualServices, { metadata: { name: "a" }, spec: {} }, "spec.hosts"],
  ])("%s is 422 with its field", async (_what, path, body, field) => {
    const { send } = await testRegion();

    const answer = await send("POST", path, body);

    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ reason: "Invalid", details: { causes: [{ field }] } });
  });

  test("a selector that misses its own template is 422", async () => {
    const { send } = await testRegion();
    const body = deployment("orders", 1);

    const answer = await send("POST", deploymentsPath, {
      ...body,
      spec: { ...body.spec, selector: { matchLabels: { app: "other" } } },
    });

    expect(answer.status).toBe(422);
    expect(answer.body.message).toContain("`selector` does not match template `labels`");
  });

  test("a body that is no JSON is 400, one of another type 415, one too large 413", async () => {
    const region = await testRegion();

    const raw = (text: string, type: string) => post(region, configMaps, text, type);

    expect(await raw("{", "application/json")).toBe(400);
    expect(await raw("x", "application/vnd.kubernetes.protobuf")).toBe(415);
    expect(await raw(`"${"x".repeat(4_000_000)}"`, "application/json")).toBe(413);
  });
});

describe("updating", () => {
  test("a resourceVersion that is not the newest is 409 Conflict, worded as the real server does", async () => {
    const { send } = await testRegion();
    const { body: first } = await send("POST", configMaps, configMap("a", { x: "1" }));
    await send("PUT", `${configMaps}/a`, { ...first, data: { x: "2" } });

    const { status, body } = await send("PUT", `${configMaps}/a`, { ...first, data: { x: "3" } });

    expect(status).toBe(409);
    expect(body).toMatchObject({
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
      details: { name: "a", kind: "configmaps" },
    });
    expect((await send("GET", `${configMaps}/a`)).body.data).toEqual({ x: "2" });
  });

  test("without a resourceVersion a built-in kind is overwritten, a custom one refused", async () => {
    const { send } = await testRegion();
    await send("POST", configMaps, configMap("a"));
    await send("POST", virtualServices, virtualService("orders", { orders: 100 }));

    expect((await send("PUT", `${configMaps}/a`, configMap("a", { x: "1" }))).status).toBe(200);
    expect((await send("PUT", `${virtualServices}/orders`, virtualService("orders", { a: 100 }))).status).toBe(422);
  });

  test("a change of the specification counts the generation; metadata and status do not", async () => {
    const { send } = await testRegion();
    const path = `${virtualServices}/orders`;
    await send("POST", virtualServices, virtualService("orders", { orders: 100 }));

    await send("PATCH", path, { metadata: { annotations: { a: "b" } } }, mergePatch);
    await send("PATCH", `${path}/status`, { status: { observed: true } }, mergePatch);
    expect((await send("GET", path)).body).toMatchObject({ metadata: { generation: 1 }, status: { observed: true } });
    await send("PATCH", path, { spec: { hosts: ["other"] } }, mergePatch);

    expect((await send("GET", path)).body.metadata.generation).toBe(2);
  });

  test("status is written through its subresource only, and that writes nothing else", async () => {
    const { send } = await testRegion();
    const path = `${virtualServices}/orders`;
    await send("POST", virtualServices, { ...virtualService("orders", { orders: 100 }), status: { made: "up" } });

    await send("PATCH", path, { status: { made: "up" } }, mergePatch);
    expect((await send("GET", path)).body.status).toBeUndefined();
    const change = { spec: { hosts: ["other"] }, status: { observed: true } };
    const { body } = await send("PATCH", `${path}/status`, change, mergePatch);

    expect(body).toMatchObject({ spec: { hosts: ["orders"] }, status: { observed: true } });
  });

  test("an update that changes nothing gets no new version", async () => {
    const { send } = await testRegion();
    const { body } = await send("POST", configMaps, configMap("a", { x: "1" }));

    const again = await send("PUT", `${configMaps}/a`, body);

    expect(again.status).toBe(200);
    expect(again.body.metadata.resourceVersion).toBe(body.metadata.resourceVersion);
  });

  test("name, uid and creation time stay what they are", async () => {
    const { send } = await testRegion();
    const { body } = await send("POST", configMaps, configMap("a"));
    const uid = "00000000-0000-0000-0000-000000000000";

    const otherName = await send("PUT", `${configMaps}/a`, configMap("b"));
    const otherUid = await send("PATCH", `${configMaps}/a`, { metadata: { uid } }, mergePatch);
    const otherTime = await send(
      "PATCH",
      `${configMaps}/a`,
      { metadata: { creationTimestamp: "2000-01-01T00:00:00Z" } },
      mergePatch,
    );

    expect(otherName.status).toBe(400);
    expect(otherUid).toMatchObject({ status: 409, body: { reason: "Conflict" } });
    expect(otherTime.body.metadata.creationTimestamp).toBe(body.metadata.creationTimestamp);
  });

  test("the specification of a pod is fixed but for its image", async () => {
    const { send } = await testRegion();
    await send("POST", podsPath, pod("a"));
    const at = "/spec/containers/0";

    const image = await send("PATCH", `${podsPath}/a`, [{ op: "replace", path: `${at}/image`, value: "b" }], jsonPatch);
    const name = await send("PATCH", `${podsPath}/a`, [{ op: "replace", path: `${at}/name`, value: "b" }], jsonPatch);

    expect(image.status).toBe(200);
    expect(name).toMatchObject({ status: 422, body: { reason: "Invalid" } });
  });

  test("scale shows and sets the replicas of a deployment", async () => {
    const { send } = await testRegion();
    await send("POST", deploymentsPath, deployment("orders", 0));
    const path = `${deploymentsPath}/orders/scale`;

    await until(
      async () => {
        const { body } = await send("GET", `${deploymentsPath}/orders`);
        return (body.status as { observedGeneration?: number }).observedGeneration === 1;
      },
      { what: "the controller" },
    );
    const { body: scale } = await send("GET", path);
    const put = await send("PUT", path, { ...scale, spec: { replicas: 0 } });
    const patched = await send("PATCH", path, { spec: { replicas: 2 } }, mergePatch);

    expect(scale).toMatchObject({ kind: "Scale", apiVersion: "autoscaling/v1", spec: { replicas: 0 } });
    expect(put.status).toBe(200);
    expect(patched.body).toMatchObject({ kind: "Scale", spec: { replicas: 2 } });
    expect((await send("GET", `${deploymentsPath}/orders`)).body.spec).toMatchObject({ replicas: 2 });
    const stale = { ...scale, spec: { replicas: 5 } };
    expect((await send("PUT", path, stale)).status).toBe(409);
  });
});

describe("deleting", () => {
  test("answers a Status with the uid of what is gone", async () => {
    const { send } = await testRegion();
    const { body } = await send("POST", configMaps, configMap("a"));

    const gone = await send("DELETE", `${configMaps}/a`);

    const details = { name: "a", kind: "configmaps", uid: body.metadata.uid };
    expect(gone.body).toEqual({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details });
    expect((await send("GET", `${configMaps}/a`)).body).toMatchObject({
      code: 404,
      message: 'configmaps "a" not found',
    });
  });

  test("preconditions on uid and resourceVersion hold", async () => {
    const { send } = await testRegion();
    const { body: first } = await send("POST", configMaps, configMap("a"));
    await send("PUT", `${configMaps}/a`, configMap("a", { x: "1" }));
    const { uid, resourceVersion } = first.metadata;

    const otherUid = await send("DELETE", `${configMaps}/a`, { preconditions: { uid: "other" } });
    const oldVersion = await send("DELETE", `${configMaps}/a`, { preconditions: { uid, resourceVersion } });
    const right = await send("DELETE", `${configMaps}/a`, { preconditions: { uid } });

    expect(otherUid).toMatchObject({ status: 409, body: { reason: "Conflict" } });
    expect(otherUid.body.message).toContain("the UID in the precondition (other) does not match the UID in record");
    expect(oldVersion.status).toBe(409);
    expect(right.status).toBe(200);
  });

  test("a pod ends gracefully: it is marked, and gone when the node says so", async () => {
    const { send } = await testRegion();
    const { body } = await send("POST", podsPath, pod("a", {}, { terminationGracePeriodSeconds: 7 }));

    const marked = await send("DELETE", `${podsPath}/a`);
    const still = await send("GET", `${podsPath}/a`);
    const final = { gracePeriodSeconds: 0, preconditions: { uid: body.metadata.uid } };
    const gone = await send("DELETE", `${podsPath}/a`, final);

    expect(marked).toMatchObject({ status: 200, body: { kind: "Pod", metadata: { deletionGracePeriodSeconds: 7 } } });
    expect(still.body.metadata.deletionTimestamp).toBeDefined();
    expect(gone.status).toBe(200);
    expect((await send("GET", `${podsPath}/a`)).status).toBe(404);
  });

  test("finalizers hold an object until they are taken off", async () => {
    const { send } = await testRegion();
    await send("POST", configMaps, configMap("a", {}, { finalizers: ["example.com/wait"] }));

    await send("DELETE", `${configMaps}/a`);
    expect((await send("GET", `${configMaps}/a`)).body.metadata.deletionTimestamp).toBeDefined();
    await send("PATCH", `${configMaps}/a`, { metadata: { finalizers: null } }, mergePatch);

    expect((await send("GET", `${configMaps}/a`)).status).toBe(404);
  });

  test("a collection is deleted by selector", async () => {
    const { send } = await testRegion();
    for (const name of ["a", "b"]) await send("POST", configMaps, configMap(name, {}, { labels: { name } }));

    const { body } = await send("DELETE", `${configMaps}?labelSelector=name%3Da`);

    expect(body.items.map(({ metadata }) => metadata.name)).toEqual(["a"]);
    expect((await send("GET", configMaps)).body.items.map(({ metadata }) => metadata.name)).toEqual(["b"]);
  });
});

describe("reading", () => {
  test("selectors on labels and fields", async () => {
    const { send } = await testRegion();
    await send("POST", podsPath, pod("a", { labels: { app: "orders", tier: "web" } }));
    await send("POST", podsPath, pod("b", { labels: { app: "orders" } }, { nodeName: "elsewhere" }));
    const names = async (query: string) =>
      (await send("GET", `/api/v1/pods?${query}`)).body.items.map(({ metadata }) => metadata.name);

    expect(await names("labelSelector=app%3Dorders")).toEqual(["a", "b"]);
    expect(await names("labelSelector=app%20in%20(orders,cart),!tier")).toEqual(["b"]);
    expect(await names("fieldSelector=spec.nodeName%3Deu-west-1")).toEqual(["a"]);
    expect(await names("fieldSelector=metadata.name!%3Da")).toEqual(["b"]);
    expect((await send("GET", "/api/v1/pods?fieldSelector=spec.colour%3Dred")).status).toBe(400);
  });

  test("who brings no token, or a wrong one, is 401", async () => {
    const { send } = await testRegion();

    expect((await send("GET", configMaps, undefined, { authorization: "" })).status).toBe(401);
    const wrong = await send("GET", configMaps, undefined, { authorization: "Bearer wrong" });
    expect(wrong.body).toMatchObject({ kind: "Status", reason: "Unauthorized", code: 401 });
    expect((await send("GET", "/version", undefined, { authorization: "" })).status).toBe(200);
  });

  test.each([
    "/api/v1/podtemplates",
    "/apis/none.example/v1/things",
    "/nothing",
    "/api/v1/namespaces/prod/pods/a/exec",
  ])("%s is 404", async (path) => {
    const { send } = await testRegion();
    expect((await send("GET", path)).body).toMatchObject({ kind: "Status", code: 404, reason: "NotFound" });
  });
});

function post(
  { url, caPem, adminToken }: Awaited<ReturnType<typeof testRegion>>,
  path: string,
  text: string,
  type: string,
) {
  const headers = { authorization: `Bearer ${adminToken}`, "content-type": type };
  return new Promise<number>((resolve, reject) => {
    const request = httpsRequest(new URL(path, url), { method: "POST", ca: caPem, agent: false, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    request.on("error", reject);
    request.end(text);
  });
}
