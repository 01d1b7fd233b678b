import { mkdtemp, rm } from "node:fs/promises";
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { seededRandom, until } from "@slipway/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Mesh, podAnnotations, startMesh } from "../../src/index.ts";
import { KubeStub } from "../support/kube-stub.ts";
import { quiet } from "../support/quiet.ts";

const good = "orders-aaaaaaa-aaaaa";
const bad = "orders-bbbbbbb-bbbbb";

let dir: string;
let kube: KubeStub;
let kubeconfig: string;
const servers: Server[] = [];
const meshes: Mesh[] = [];
let clients: Agent;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "slipway-mesh-"));
  kube = new KubeStub();
  await kube.start();
  kubeconfig = await kube.kubeconfig(join(dir, "kubeconfig"));
  clients = new Agent({ keepAlive: true });
});

afterEach(async () => {
  clients.destroy();
  for (const mesh of meshes.splice(0)) await mesh.stop();
  for (const server of servers.splice(0)) await closed(server);
  await kube.die();
  await rm(dir, { recursive: true, force: true });
});

function closed(server: Server): Promise<unknown> {
  return new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}

async function mesh(): Promise<Mesh> {
  const random = seededRandom(7).next;
  const started = await startMesh({ region: "test", kubeconfig, port: 0, adminPort: 0, dir, log: quiet, random });
  meshes.push(started);
  await until(async () => (await fetch(`${started.adminUrl}/healthz`)).ok, { what: "routes are known" });
  return started;
}

type Handler = (request: IncomingMessage, answer: ServerResponse) => void;

async function pod(
  name: string,
  version: string,
  handler: Handler = (_, answer) => void answer.end(name),
): Promise<Server> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  podObject(name, version, (server.address() as AddressInfo).port);
  return server;
}

function podObject(name: string, version: string, port: number, metadata: object = {}, ready = "True"): void {
  kube.put("pods", {
    metadata: {
      name,
      namespace: "prod",
      labels: { "slipway.dev/service": "orders", "slipway.dev/version": version },
      annotations: { [podAnnotations.port]: String(port) },
      ...metadata,
    },
    spec: { containers: [{}] },
    status: { podIP: "127.0.0.1", conditions: [{ type: "Ready", status: ready }] },
  });
}

function services(): void {
  for (const version of [good, bad]) service(version, { "slipway.dev/version": version });
  service("orders", { "slipway.dev/service": "orders", "slipway.dev/version": good });
}

function service(name: string, selector: object): void {
  kube.put("services", { metadata: { name, namespace: "prod" }, spec: { selector } });
}

function weights(toGood: number, toBad: number, before: object[] = []): void {
  const route = [
    { destination: { host: good }, weight: toGood },
    { destination: { host: bad }, weight: toBad },
  ];
  kube.put("virtualservices", {
    metadata: { name: "orders", namespace: "prod" },
    spec: { hosts: ["orders"], http: [...before, { name: "slipway", route }] },
  });
}

type Reply = { status: number; version: string | undefined; error: string | undefined; body: string };

function ask(
  url: string,
  headers: Record<string, string> = {},
  options: { method?: string; body?: string; path?: string } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = {
      agent: clients,
      method: options.method ?? "GET",
      headers: { host: "orders.prod.localhost:8801", ...headers },
    };
    const asking = request(new URL(options.path ?? "/", url), sent, (answer) => {
      const one = (name: string): string | undefined => answer.headers[name] as string | undefined;
      text(answer).then(
        (body) =>
          resolve({
            status: answer.statusCode ?? 0,
            version: one("x-slipway-version"),
            error: one("x-slipway-error"),
            body,
          }),
        reject,
      );
    });
    asking.on("error", reject).end(options.body);
  });
}

async function metric(of: Mesh, start: string): Promise<number | undefined> {
  const page = await (await fetch(`${of.adminUrl}/metrics`)).text();
  const line = page.split("\n").find((candidate) => candidate.startsWith(start));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1));
}

/** So many requests that the proxy answered as one of Istio's would for a caller, having reached no pod. */
async function callerCounted(of: Mesh, flags: "UH" | "UF", host = `${good}.prod.svc.cluster.local`): Promise<number> {
  const page = await (await fetch(`${of.adminUrl}/metrics`)).text();
  const workload = flags === "UH" ? "unknown" : good;
  const marks = [`reporter="source"`, `response_flags="${flags}"`, `destination_service="${host}"`];
  const line = page
    .split("\n")
    .find((one) =>
      [...marks, `destination_workload="${workload}"`, "istio_requests_total"].every((mark) => one.includes(mark)),
    );
  return Number(line?.slice(line.lastIndexOf(" ") + 1) ?? 0);
}

const weightOf = (version: string, suffix = "") =>
  `slipway_mesh_route_weight${suffix}{service="orders",namespace="prod",version="${version}"}`;

describe("the mesh proxy", () => {
  it("splits 4,000 requests by the weights, within what chance allows, and counts every one of them", async () => {
    await pod("good-1", good);
    await pod("good-2", good);
    await pod("bad-1", bad, (_, answer) => void answer.writeHead(500).end());
    services();
    weights(95, 5);
    const proxy = await mesh();
    const seen = new Map<string, number>();

    const worker = async (count: number): Promise<void> => {
      for (let sent = 0; sent < count; sent += 1) {
        const { version = "", body } = await ask(proxy.url);
        for (const key of [version, body]) seen.set(key, (seen.get(key) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 40 }, () => worker(100)));

    const toBad = seen.get(bad) ?? 0;
    // Five standard deviations of Bin(4,000, 0.05).
    expect(Math.abs(toBad - 200)).toBeLessThan(5 * Math.sqrt(4_000 * 0.05 * 0.95));
    expect((seen.get(good) ?? 0) + toBad).toBe(4_000);
    expect(Math.abs((seen.get("good-1") ?? 0) - (seen.get("good-2") ?? 0))).toBeLessThanOrEqual(20);
    const counted = (version: string, pod: string, code: number) =>
      metric(
        proxy,
        `istio_requests_total{reporter="destination",destination_service="orders.prod.svc.cluster.local",destination_service_name="orders",destination_service_namespace="prod",destination_workload="${version}",destination_workload_namespace="prod",destination_version="${version}",request_protocol="http",pod="${pod}",response_code="${code}"}`,
      );
    await until(async () => (await counted(bad, "bad-1", 500)) === toBad, { what: "the last answer is counted" });
    expect(await counted(good, "good-1", 200)).toBe(seen.get("good-1"));
    expect(await counted(good, "good-2", 200)).toBe(seen.get("good-2"));
    expect(await metric(proxy, weightOf(good))).toBe(95);
    expect(await metric(proxy, weightOf(bad))).toBe(5);
  });

  it("keeps its routes when the API dies, follows again when it is back, and starts with the last ones without it", async () => {
    await pod("good-1", good);
    await pod("bad-1", bad);
    services();
    weights(100, 0);
    const proxy = await mesh();
    expect(await ask(proxy.url)).toMatchObject({ status: 200, version: good });

    await kube.die();
    expect(await ask(proxy.url)).toMatchObject({ status: 200, version: good });
    await proxy.stop();
    meshes.pop();
    const second = await mesh();
    expect(await ask(second.url)).toMatchObject({ status: 200, version: good });
    await kube.start();
    weights(0, 100);
    await until(async () => (await ask(second.url)).version === bad, { what: "the new weights are followed" });

    expect(await metric(second, weightOf(bad))).toBe(100);
    expect(await metric(second, weightOf(good))).toBe(0);
    expect(await metric(second, weightOf(good, "_max"))).toBe(100);
  });

  it("sends nothing to a pod from the moment it is being deleted or not ready", async () => {
    const leaving = await pod("good-1", good);
    await pod("good-2", good);
    services();
    weights(100, 0);
    const proxy = await mesh();
    await until(async () => (await ask(proxy.url)).body === "good-1", { what: "both pods serve" });

    const { port } = leaving.address() as AddressInfo;
    podObject("good-1", good, port, { deletionTimestamp: "2026-01-01T00:00:00Z" });
    const some = async () => await Promise.all(Array.from({ length: 20 }, async () => (await ask(proxy.url)).body));
    await until(async () => new Set(await some()).size === 1, { what: "one is left" });
    expect(new Set(await some())).toEqual(new Set(["good-2"]));

    kube.remove("pods", "prod", "good-2");
    await until(async () => (await ask(proxy.url)).status === 503, { what: "nobody is left" });
    expect(await ask(proxy.url)).toMatchObject({ status: 503, error: "no_ready_endpoint", version: good });
    await until(async () => (await callerCounted(proxy, "UH")) >= 2, {
      what: "these are counted as the caller's proxy does",
    });
    expect(await ask(proxy.url, { host: "billing.prod" })).toMatchObject({ status: 404, error: "unknown_service" });
  });

  it("asks another pod of the same version when one refuses the connection, with the body still whole", async () => {
    const gone = await pod("good-1", good);
    const other = await pod(
      "good-2",
      good,
      (incoming, answer) => void text(incoming).then((body) => answer.end(`got ${body}`)),
    );
    await pod("bad-1", bad);
    services();
    weights(100, 0);
    const proxy = await mesh();
    await until(async () => (await ask(proxy.url)).body === "good-1", { what: "both pods serve" });
    await closed(gone);

    const replies = await Promise.all(
      Array.from({ length: 20 }, () => ask(proxy.url, {}, { method: "POST", body: "x".repeat(10_000) })),
    );

    expect(new Set(replies.map(({ status, body, version }) => `${status} ${body.length} ${version}`))).toEqual(
      new Set([`200 10004 ${good}`]),
    );
    expect(await callerCounted(proxy, "UF")).toBe(0);

    await closed(other);
    expect(await ask(proxy.url)).toMatchObject({ status: 503, error: "upstream_unreachable", version: good });
    await until(async () => (await callerCounted(proxy, "UF")) === 1, { what: "a refused connection is counted" });
  });

  it("does not repeat a request that a pod may have begun to work on", async () => {
    let begun = 0;
    await pod("good-1", good, (incoming, answer) => {
      begun += 1;
      incoming.resume();
      answer.destroy();
    });
    services();
    const proxy = await mesh();

    const reply = await ask(proxy.url, {}, { method: "POST", body: "pay" });

    expect(reply).toMatchObject({ status: 503, error: "upstream_reset", version: good });
    expect(begun).toBe(1);
  });

  it("sends by header and path where the VirtualService says so, and never by a match it does not understand", async () => {
    await pod("good-1", good);
    await pod("bad-1", bad);
    services();
    const toBad = [{ destination: { host: bad } }];
    weights(100, 0, [
      { match: [{ headers: { "x-canary": { exact: "yes" } } }, { uri: { prefix: "/beta/" } }], route: toBad },
      { match: [{ sourceLabels: { app: "web" } }], route: toBad },
    ]);
    const proxy = await mesh();

    expect((await ask(proxy.url)).version).toBe(good);
    expect((await ask(proxy.url, { "X-Canary": "yes" })).version).toBe(bad);
    expect((await ask(proxy.url, { "X-Canary": "no" })).version).toBe(good);
    expect((await ask(proxy.url, {}, { path: "/beta/x?y=1" })).version).toBe(bad);
    expect((await ask(proxy.url, {}, { path: "/x?y=/beta/" })).version).toBe(good);
  });

  it("passes requests and answers through as they are: method, path, headers, body, status, and chunks as they come", async () => {
    let release: () => void = () => undefined;
    await pod("good-1", good, (incoming, answer) => {
      answer.writeHead(
        201,
        "Made",
        [
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
          ["x-seen", `${incoming.method} ${incoming.url} ${incoming.headers["x-me"]} ${incoming.headers.host}`],
        ].flat(),
      );
      answer.write("first");
      release = () => answer.end("last");
    });
    services();
    const proxy = await mesh();

    const answer = await new Promise<IncomingMessage>((resolve) => {
      request(
        new URL("/a/b?c=d", proxy.url),
        { method: "PUT", headers: { host: "orders.prod", "x-me": "here" } },
        resolve,
      ).end();
    });
    const first = await new Promise<string>((resolve) =>
      answer.once("data", (chunk: Buffer) => resolve(chunk.toString())),
    );
    release();

    expect(answer.statusCode).toBe(201);
    expect(answer.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(answer.headers["x-seen"]).toBe("PUT /a/b?c=d here orders.prod");
    expect(first).toBe("first");
    expect(await text(answer)).toBe("last");
  });

  it("passes websocket upgrades through", async () => {
    const server = await pod("good-1", good);
    server.on("upgrade", (_, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      socket.pipe(socket);
    });
    services();
    const proxy = await mesh();

    const socket = connect(Number(new URL(proxy.url).port), "127.0.0.1");
    let seen = "";
    socket.on("data", (chunk) => {
      seen += chunk.toString();
    });
    socket.write("GET /live HTTP/1.1\r\nHost: orders.prod\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    await until(() => seen.includes("101 Switching"), { what: "upgraded" });
    socket.write("hello");
    await until(() => seen.endsWith("hello"), { what: "the echo" });
    socket.destroy();

    expect(await metric(proxy, "istio_requests_total")).toBe(1);
  });
});
