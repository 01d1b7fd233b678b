import { until } from "@slipway/testkit";
import { expect, test } from "vitest";
import {
  deployment,
  deploymentsPath,
  podsPath,
  reportEnded,
  reportReady,
  service,
  virtualService,
  virtualServices,
} from "./support/objects.ts";
import { type Body, mergePatch, type Send, testRegion } from "./support/region.ts";

const replicaSets = "/apis/apps/v1/namespaces/prod/replicasets";
const services = "/api/v1/namespaces/prod/services";
const endpoints = "/api/v1/namespaces/prod/endpoints";

const items = async (send: Send, path: string) => (await send("GET", path)).body.items;
const alive = async (send: Send) =>
  (await items(send, podsPath)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
const podsAre = (send: Send, count: number): Promise<readonly Body[]> =>
  until(async () => ((await alive(send)).length === count ? alive(send) : undefined), { what: `${count} pods` });
const statusOf = async (send: Send, name: string) => (await send("GET", `${deploymentsPath}/${name}`)).body.status;

test("a deployment becomes a replica set and its pods, bound to the region's node", async () => {
  const { send, node } = await testRegion();

  await send("POST", deploymentsPath, deployment("orders", 3));

  const pods = await podsAre(send, 3);
  const [set] = await items(send, replicaSets);
  for (const pod of pods) {
    expect(pod.metadata.name).toMatch(/^orders-[0-9a-f]{10}-[a-z0-9]{5}$/);
    expect(pod.metadata.labels).toMatchObject({ app: "orders", version: "orders" });
    expect(pod.metadata.ownerReferences).toMatchObject([
      { kind: "ReplicaSet", name: set?.metadata.name, controller: true },
    ]);
    expect(pod).toMatchObject({ spec: { nodeName: node }, status: { phase: "Pending" } });
  }
  expect(set?.metadata.ownerReferences).toMatchObject([{ kind: "Deployment", name: "orders", controller: true }]);
});

test("the status counts what the node reports", async () => {
  const { send } = await testRegion();
  await send("POST", deploymentsPath, deployment("orders", 2));
  const [first, second] = await podsAre(send, 2);
  await until(async () => JSON.stringify(await statusOf(send, "orders")).includes("conditions"), { what: "a status" });
  expect(await statusOf(send, "orders")).toMatchObject({ conditions: [{ type: "Available", status: "False" }, {}] });

  await reportReady(send, first!.metadata.name, 40_001);
  await until(async () => ((await statusOf(send, "orders")) as { readyReplicas?: number }).readyReplicas === 1, {
    what: "1 ready",
  });
  await reportReady(send, second!.metadata.name, 40_002);

  await until(async () => ((await statusOf(send, "orders")) as { readyReplicas?: number }).readyReplicas === 2, {
    what: "2 ready",
  });
  expect(await statusOf(send, "orders")).toMatchObject({
    ...{ observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
    conditions: [
      { type: "Available", status: "True", reason: "MinimumReplicasAvailable" },
      { type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" },
    ],
  });
});

test("a pod that is deleted is replaced; scaling down takes the pod that is not ready", async () => {
  const { send } = await testRegion();
  await send("POST", deploymentsPath, deployment("orders", 2));
  const [first, second] = await podsAre(send, 2);
  await send("DELETE", `${podsPath}/${first!.metadata.name}`, { gracePeriodSeconds: 0 });
  await until(
    async () =>
      (await alive(send)).length === 2 &&
      !(await alive(send)).some((pod) => pod.metadata.name === first!.metadata.name),
    { what: "a new pod" },
  );
  await reportReady(send, second!.metadata.name, 40_001);

  await send("PATCH", `${deploymentsPath}/orders/scale`, { spec: { replicas: 1 } }, mergePatch);

  const [left] = await podsAre(send, 1);
  expect(left?.metadata.name).toBe(second!.metadata.name);
  await reportEnded(send);
  await until(async () => ((await statusOf(send, "orders")) as { replicas?: number }).replicas === 1, {
    what: "1 replica",
  });
});

test("a new template is rolled out without ever having too few ready pods", async () => {
  const { send } = await testRegion();
  const first = deployment("orders", 3);
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } };
  await send("POST", deploymentsPath, { ...first, spec: { ...first.spec, strategy } });
  let port = 40_000;
  const nextPort = (): number => {
    port += 1;
    return port;
  };
  const agent = async () => {
    for (const pod of await alive(send)) {
      const { conditions = [] } = pod.status as { conditions?: { type: string }[] };
      if (!conditions.some(({ type }) => type === "Ready")) await reportReady(send, pod.metadata.name, nextPort());
    }
    await reportEnded(send);
  };
  for (const pod of await podsAre(send, 3)) await reportReady(send, pod.metadata.name, nextPort());
  const status = async () => (await statusOf(send, "orders")) as Record<string, number>;
  await until(async () => (await status()).availableReplicas === 3, { what: "the first version" });

  const { spec } = deployment("orders", 3, "localhost/orders@sha256:11");
  await send("PATCH", `${deploymentsPath}/orders`, { spec: { template: spec.template } }, mergePatch);

  const counts: { ready: number; all: number }[] = [];
  await until(
    async () => {
      const pods = await alive(send);
      const ready = pods.filter((pod) => JSON.stringify(pod.status).includes('"type":"Ready","status":"True"'));
      counts.push({ ready: ready.length, all: pods.length });
      await agent();
      const { observedGeneration, updatedReplicas, replicas, availableReplicas } = await status();
      return observedGeneration === 2 && updatedReplicas === 3 && replicas === 3 && availableReplicas === 3;
    },
    { what: "the second version" },
  );
  expect(Math.min(...counts.map(({ ready }) => ready))).toBeGreaterThanOrEqual(3);
  expect(Math.max(...counts.map(({ all }) => all))).toBeLessThanOrEqual(4);
  const images = (await alive(send)).map(
    ({ spec: own }) => (own as { containers: { image: string }[] }).containers[0]?.image,
  );
  expect(new Set(images)).toEqual(new Set(["localhost/orders@sha256:11"]));
});

test("endpoints are the ready pods that a Service selects, each with the port that the agent told", async () => {
  const { send } = await testRegion();
  await send("POST", services, service("orders", { app: "orders" }));
  await send("POST", deploymentsPath, deployment("orders", 2));
  const [first, second] = await podsAre(send, 2);
  await reportReady(send, first!.metadata.name, 40_001);
  await reportReady(send, second!.metadata.name, 40_002, false);

  const subsets = async () => ((await send("GET", `${endpoints}/orders`)).body.subsets ?? []) as unknown[];
  await until(async () => (await subsets()).length === 2, { what: "both pods" });

  expect(await subsets()).toEqual(
    expect.arrayContaining([
      {
        addresses: [
          expect.objectContaining({
            ip: "127.0.0.1",
            targetRef: expect.objectContaining({ name: first!.metadata.name }),
          }),
        ],
        ports: [{ name: "http", port: 40_001, protocol: "TCP" }],
      },
      {
        notReadyAddresses: [expect.objectContaining({ ip: "127.0.0.1" })],
        ports: [{ name: "http", port: 40_002, protocol: "TCP" }],
      },
    ]),
  );
  await send("DELETE", `${services}/orders`);
  await until(async () => (await send("GET", `${endpoints}/orders`)).status === 404, { what: "endpoints gone" });
});

test("what a deployment owns goes with it", async () => {
  const { send } = await testRegion();
  await send("POST", deploymentsPath, deployment("orders", 2));
  await podsAre(send, 2);

  await send("DELETE", `${deploymentsPath}/orders`);

  await podsAre(send, 0);
  await reportEnded(send);
  expect(await items(send, replicaSets)).toEqual([]);
  expect(await items(send, podsPath)).toEqual([]);
});

test("an orphaning delete leaves the pods, a foreground one waits for them", async () => {
  const { send } = await testRegion();
  for (const name of ["left", "waited"]) await send("POST", deploymentsPath, deployment(name, 1));
  await podsAre(send, 2);

  await send("DELETE", `${deploymentsPath}/left`, { propagationPolicy: "Orphan" });
  await send("DELETE", `${deploymentsPath}/waited`, { propagationPolicy: "Foreground" });
  await until(async () => (await alive(send)).length === 1, { what: "the pod that was left" });
  await until(async () => (await send("GET", `${deploymentsPath}/left`)).status === 404, {
    what: "its deployment gone",
  });

  expect((await alive(send))[0]?.metadata.name).toMatch(/^left-/);
  await until(
    async () => {
      await reportEnded(send);
      return (await send("GET", `${deploymentsPath}/waited`)).status === 404;
    },
    { what: "the deployment that waited" },
  );
});

test("a namespace is emptied before it goes, and takes nothing new meanwhile", async () => {
  const { send } = await testRegion();
  await send("POST", deploymentsPath, deployment("orders", 1));
  await send("POST", virtualServices, virtualService("orders", { orders: 100 }));
  await podsAre(send, 1);

  await send("DELETE", "/api/v1/namespaces/prod");
  const late = await send("POST", virtualServices, virtualService("late", { orders: 100 }));

  expect(late).toMatchObject({ status: 403, body: { reason: "Forbidden" } });
  await until(
    async () => {
      await reportEnded(send);
      return (await send("GET", "/api/v1/namespaces/prod")).status === 404;
    },
    { what: "the namespace to go" },
  );
});

test("work that was left undone by a stop is done after the next start", async () => {
  const first = await testRegion();
  const created = first.send("POST", deploymentsPath, deployment("orders", 2));
  await created;
  await first.stop();

  const second = await testRegion({ dir: first.dir });

  await podsAre(second.send, 2);
});

test("a region in which nothing happens writes nothing", async () => {
  const { send } = await testRegion();
  await send("POST", deploymentsPath, deployment("orders", 2));
  for (const pod of await podsAre(send, 2)) await reportReady(send, pod.metadata.name, 40_001);
  const revision = async () => (await send("GET", podsPath)).body.metadata.resourceVersion;
  // The last thing that any controller has to say about it.
  await until(
    async () => {
      const status = JSON.stringify(await statusOf(send, "orders"));
      return status.includes('"availableReplicas":2') && status.includes("NewReplicaSetAvailable");
    },
    { what: "the controllers to settle" },
  );
  const last = await revision();

  for (let look = 0; look < 20; look += 1) expect(await revision()).toBe(last);
});
