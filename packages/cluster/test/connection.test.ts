import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RegionName } from "@slipway/kernel";
import { makeCertificates, startFaultProxy, until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect } from "../src/connection.ts";
import { ApiStatus, RegionRejected, RegionUnavailable } from "../src/errors.ts";
import { reflect } from "../src/reflector.ts";
import { openRegion } from "../src/region.ts";
import { countingProxy, type LocalApi, localApi } from "./support/local-api.ts";
import { silent } from "./support/silent.ts";

let api: LocalApi;
beforeEach(async () => {
  api = await localApi({ historyLimit: 20 });
});
afterEach(async () => {
  await api.close();
});

async function withNamespace() {
  const connection = await api.open();
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } };
  await connection.request("POST", "/api/v1/namespaces", { body });
  return connection;
}

const virtualServices = "/apis/networking.istio.io/v1/virtualservices";

function virtualService(name: string) {
  const http = [{ name: "slipway", route: [{ destination: { host: name }, weight: 100 }] }];
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name },
    spec: { hosts: [name], http },
  };
}
const inShop = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices";

test("calls go over the connections that are open already", async () => {
  const proxy = await countingProxy(api);
  const connection = await api.open({ kubeconfig: proxy.kubeconfig });
  const call = () => connection.request("GET", "/version");

  for (let count = 0; count < 50; count += 1) await call();
  // One, and one more for a machine that stood still for as long as an idle connection is kept.
  expect(proxy.connections()).toBeLessThanOrEqual(2);

  await Promise.all(Array.from({ length: 5 }, call));
  const atOnce = proxy.connections();
  for (let count = 0; count < 50; count += 1) await call();
  expect(proxy.connections()).toBeLessThanOrEqual(atOnce + 1);
  await connection.close();
  await proxy.close();
});

test("an answer that does not come in time is an unavailable region, in that time", async () => {
  const connection = await api.open({ timeoutMs: 1_000 });
  await connection.request("GET", "/version");
  api.faults.add({ kind: "delay", when: "before", ms: 20_000 });

  const late = await connection.request("GET", "/version").catch((error: unknown) => error);

  expect(late).toBeInstanceOf(RegionUnavailable);
  expect(late).toMatchObject({ message: expect.stringContaining("no answer in 1000 ms") });
});

test("what may arrive twice is answered over a new connection where those of before went dead, and so is what comes after it", async () => {
  const network = await startFaultProxy(api.server().port);
  const connection = await api.open({ kubeconfig: await api.kubeconfigFor(network.port), timeoutMs: 20_000 });
  const call = (options = {}) => connection.request("GET", "/version", options);
  await Promise.all(Array.from({ length: 5 }, () => call()));
  network.strand();

  expect(await call({ hedgeAfterMs: 50 })).toHaveProperty("major");
  const swallowed = network.swallowed();
  expect(swallowed).toBeGreaterThan(0);
  expect(await call()).toHaveProperty("major");

  expect(network.swallowed()).toBe(swallowed);
  await connection.close();
  await network.stop();
});

test("however often it is sent, it has one deadline", async () => {
  const connection = await api.open();
  await connection.request("GET", "/version");
  api.faults.add({ kind: "delay", when: "before", ms: 20_000 }, () => true, 2);

  const asked = connection.request("GET", "/version", { timeoutMs: 1_000, hedgeAfterMs: 50 });

  await expect(asked).rejects.toThrow("no answer in 1000 ms");
  expect(api.faults.pending()).toBe(0);
});

test("an error of the region keeps its status, its reason and the time to wait", async () => {
  const connection = await api.open();
  api.faults.add({ kind: "answer", code: 429, retryAfterSeconds: 3 });

  const error = await connection.request("GET", "/version").catch((cause: unknown) => cause);

  expect(error).toBeInstanceOf(ApiStatus);
  expect(error).toMatchObject({ status: 429, retryAfterMs: 3_000 });
  await expect(connection.request("GET", `${inShop}/none`)).rejects.toMatchObject({
    status: 404,
    reason: "NotFound",
  });
});

test("fields that no model knows come back as they were", async () => {
  const connection = await withNamespace();
  const odd = {
    ...virtualService("odd"),
    spec: { ...virtualService("odd").spec, fromTheFuture: { deep: [1, { x: null }] } },
  };

  await connection.request("POST", inShop, { body: odd });

  expect(await connection.request("GET", `${inShop}/odd`)).toMatchObject({
    spec: { fromTheFuture: { deep: [1, { x: null }] } },
  });
});

test("a region that comes back under another address is found by its kubeconfig", async () => {
  const { kubeconfig, context } = api;
  const name = "us-east-1" as RegionName;
  const region = await openRegion({ name, kubeconfig, context, log: silent, requestTimeoutMs: 5_000 });
  await region.ping();
  const port = api.server().port;
  const text = await readFile(kubeconfig, "utf8");
  const away = text.replaceAll(`:${port}`, ":1");

  await writeFile(kubeconfig, away);
  await api.restart();
  await until(() => region.ping().then(() => api.server().port > 0), { what: "the region at its new address" });

  await region.close();
});

test("headers that have grown old serve one request more, beside which they are asked for again", async () => {
  const { kubeconfig, context } = api;
  const connection = await connect({
    region: "us-east-1",
    kubeconfig,
    context,
    timeoutMs: 5_000,
    headersLifetimeMs: 0,
  });
  const call = () => connection.request("GET", "/version");
  await call();
  const text = await readFile(kubeconfig, "utf8");
  await writeFile(kubeconfig, text.replaceAll(`:${api.server().port}`, ":1"));

  await call();
  await until(
    () =>
      call().then(
        () => false,
        (error: unknown) => error instanceof RegionUnavailable,
      ),
    {
      what: "the address that the kubeconfig says now",
    },
  );
  await writeFile(kubeconfig, text);
  await until(call, { what: "the address of before" });

  await connection.close();
});

test("a certificate in a file is taken as it stands there now, though the kubeconfig that names it is the same", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-authority-"));
  const [authority, kubeconfig] = [join(folder, "ca.pem"), join(folder, "kubeconfig")];
  const own = /certificate-authority-data: *"?([A-Za-z0-9+/=]+)"?/;
  const text = await readFile(api.kubeconfig, "utf8");
  const data = own.exec(text)?.[1] ?? "";
  await writeFile(authority, Buffer.from(data, "base64"));
  await writeFile(kubeconfig, text.replace(own, "certificate-authority: ca.pem"));
  const connection = await connect({
    region: "us-east-1",
    kubeconfig,
    context: api.context,
    timeoutMs: 5_000,
    headersLifetimeMs: 0,
  });
  const answers = () =>
    connection.request("GET", "/version").then(
      () => true,
      () => false,
    );
  expect(await answers()).toBe(true);

  await writeFile(authority, (await makeCertificates(folder)).ca);
  await until(async () => !(await answers()), { what: "the authority that the file has now" });
  await writeFile(authority, Buffer.from(data, "base64"));
  await until(answers, { what: "the authority of before" });

  await connection.close();
  await rm(folder, { recursive: true });
});

test("a context that is not in the kubeconfig is refused with words", async () => {
  const { kubeconfig } = api;
  const region = await openRegion({ name: "us-east-1" as RegionName, kubeconfig, context: "nowhere", log: silent });

  await expect(region.ping()).rejects.toThrow(RegionRejected);
  await expect(region.ping()).rejects.toThrow("no context nowhere");
  await region.close();
});

test("a list+watch stays true through cut watches, a lost history and a restart", async () => {
  const connection = await withNamespace();
  const known = new Map<string, unknown>();
  let lists = 0;
  const nameOf = (object: unknown) => (object as { metadata: { name: string } }).metadata.name;
  const reflector = reflect({
    connection,
    path: virtualServices,
    log: silent,
    random: Math.random,
    backOff: { firstMs: 5, mostMs: 50 },
    onReplace(items) {
      lists += 1;
      known.clear();
      for (const item of items) known.set(nameOf(item), item);
    },
    onChange(type, object) {
      if (type === "deleted") known.delete(nameOf(object));
      else known.set(nameOf(object), object);
    },
  });
  const create = (name: string) => connection.request("POST", inShop, { body: virtualService(name) });

  await create("first");
  await until(() => known.has("first"), { what: "the first object" });
  const listed = lists;
  api.faults.closeWatches();
  await create("second");
  await until(() => known.has("second"), { what: "an object after a cut watch" });
  expect(lists).toBe(listed);
  await connection.request("DELETE", `${inShop}/first`);
  await until(() => !known.has("first"), { what: "a deletion" });

  // While the watch cannot be opened, more happens than the server remembers: 410, and the list is read again.
  api.faults.add({ kind: "drop", when: "before" }, ({ query }) => query.get("watch") === "true", 4);
  api.faults.closeWatches();
  for (let change = 0; change < 30; change += 1) await create(`many-${change}`);
  await connection.request("DELETE", `${inShop}/second`);
  await until(() => known.has("many-29") && !known.has("second"), { what: "all after the lost history" });

  await api.restart({ port: api.server().port });
  await create("after-restart");
  await until(() => known.has("after-restart"), { what: "an object after the restart" });
  await reflector.stop();
  expect(known.size).toBe(31);
});
