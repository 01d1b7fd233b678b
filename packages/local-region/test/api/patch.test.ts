import { expect, test } from "vitest";
import {
  configMap,
  configMaps,
  deployment,
  deploymentsPath,
  virtualService,
  virtualServices,
} from "./support/objects.ts";
import { jsonPatch, mergePatch, testRegion } from "./support/region.ts";

const path = `${virtualServices}/orders`;
const fence = "/metadata/annotations/slipway.dev~1fence";

test("a JSON patch whose test fails is 422, in the real server's few words, and changes nothing", async () => {
  const { send } = await testRegion();
  const annotations = { "slipway.dev/fence": "7/1/open/D-1" };
  const { body: before } = await send("POST", virtualServices, virtualService("orders", { a: 100 }, annotations));

  const { status, body } = await send(
    "PATCH",
    path,
    [
      { op: "replace", path: "/spec/http/0/route/0/weight", value: 5 },
      { op: "test", path: fence, value: "8/1/open/D-2" },
    ],
    jsonPatch,
  );

  expect(status).toBe(422);
  expect(body).toEqual({
    ...{ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code: 422, reason: "Invalid", details: {} },
    message: "the server rejected our request due to an error in our request",
  });
  expect((await send("GET", path)).body).toEqual(before);
});

test("a test of resourceVersion lets exactly one of two writers win", async () => {
  const { send } = await testRegion();
  const { body } = await send("POST", virtualServices, virtualService("orders", { a: 100 }));
  const patch = (value: string) => [
    { op: "test", path: "/metadata/resourceVersion", value: body.metadata.resourceVersion },
    { op: "add", path: "/metadata/annotations/writer", value },
  ];

  const answers = await Promise.all(["1", "2", "3"].map((each) => send("PATCH", path, patch(each), jsonPatch)));

  expect(answers.map(({ status }) => status).sort()).toEqual([200, 422, 422]);
});

test("a test that holds lets the whole patch through at once", async () => {
  const { send } = await testRegion();
  const annotations = { "slipway.dev/fence": "7/1/open/D-1" };
  await send("POST", virtualServices, virtualService("orders", { a: 100 }, annotations));

  const { status, body } = await send(
    "PATCH",
    path,
    [
      { op: "test", path: fence, value: "7/1/open/D-1" },
      { op: "add", path: "/spec/http/0/route/-", value: { destination: { host: "b" }, weight: 0 } },
      { op: "replace", path: fence, value: "7/2/shut/D-1" },
    ],
    jsonPatch,
  );

  expect(status).toBe(200);
  expect(body).toMatchObject({ metadata: { generation: 2, annotations: { "slipway.dev/fence": "7/2/shut/D-1" } } });
});

test("a path that leads nowhere is 422; something that is no patch is 400", async () => {
  const { send } = await testRegion();
  await send("POST", virtualServices, virtualService("orders", { a: 100 }));

  expect((await send("PATCH", path, [{ op: "remove", path: "/spec/none" }], jsonPatch)).status).toBe(422);
  expect((await send("PATCH", path, [{ op: "add", path: "/spec/none" }], jsonPatch)).status).toBe(400);
  expect((await send("PATCH", path, { spec: {} }, jsonPatch)).status).toBe(400);
});

test("a merge patch sets, and removes with null", async () => {
  const { send } = await testRegion();
  await send("POST", configMaps, configMap("a", { x: "1", y: "2" }));

  const { body } = await send("PATCH", `${configMaps}/a`, { data: { x: null, z: "3" } }, mergePatch);

  expect(body.data).toEqual({ y: "2", z: "3" });
});

test("a merge patch with an old resourceVersion is 409", async () => {
  const { send } = await testRegion();
  const { body } = await send("POST", configMaps, configMap("a"));
  await send("PATCH", `${configMaps}/a`, { data: { x: "1" } }, mergePatch);
  const { resourceVersion } = body.metadata;

  const late = await send("PATCH", `${configMaps}/a`, { metadata: { resourceVersion }, data: { x: "2" } }, mergePatch);

  expect(late.status).toBe(409);
});

test("a strategic merge patch merges lists by name, for Kubernetes' own kinds alone", async () => {
  const { send } = await testRegion();
  await send("POST", deploymentsPath, deployment("orders", 1));
  await send("POST", virtualServices, virtualService("orders", { a: 100 }));
  const strategic = { "content-type": "application/strategic-merge-patch+json" };
  const env = [{ name: "A", value: "1" }];
  const change = { spec: { template: { spec: { containers: [{ name: "app", env }] } } } };

  const { body } = await send("PATCH", `${deploymentsPath}/orders`, change, strategic);

  const { containers } = (body as unknown as ReturnType<typeof deployment>).spec.template.spec;
  expect(containers).toEqual([expect.objectContaining({ name: "app", image: "localhost/orders@sha256:00", env })]);
  expect((await send("PATCH", path, { spec: { hosts: ["a"] } }, strategic)).status).toBe(415);
});
