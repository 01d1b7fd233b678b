import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { instant } from "@slipway/kernel";
import { makeNodeBaseLayer, RegistryClient, writeImage } from "@slipway/oci";
import { sharedFolder, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Agent,
  type ApiServer,
  type Mesh,
  podLogs,
  startAgent,
  startApiServer,
  startMesh,
} from "../../src/index.ts";
import { createKubeClient, type KubeClient, mergePatch } from "../../src/kube/client.ts";
import { readKubeconfig } from "../../src/kube/kubeconfig.ts";
import { quiet } from "../support/quiet.ts";
import { RegistryStub } from "../support/registry-stub.ts";

const program = `
import { createServer } from "node:http";
const server = createServer((request, answer) => {
  console.log(request.url);
  answer.end(process.env.GREETING);
}).listen(Number(process.env.PORT), process.env.HOST);
process.on("SIGTERM", () => server.close(() => process.exit(0)));
`;
const apps = "/apis/apps/v1/namespaces/prod/deployments";
const labels = { "slipway.dev/version": "orders-aaaaaaa-aaaaa" };

let dir: string;
let registry: RegistryStub;
let api: ApiServer;
let agent: Agent | undefined;
let mesh: Mesh;
let kube: KubeClient;
let image: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "slipway-region-"));
  registry = new RegistryStub();
  const host = await registry.start();
  image = await pushImage(host);
  const pods = join(dir, "agent");
  api = await startApiServer({ name: "test", dir: join(dir, "api"), port: 0, log: quiet, podLogs: podLogs(pods) });
  kube = createKubeClient(await readKubeconfig(api.kubeconfigPath));
  const { kubeconfigPath: kubeconfig } = api;
  agent = await startAgent({ region: "test", node: api.node, kubeconfig, dir: pods, log: quiet });
  mesh = await startMesh({ region: "test", kubeconfig, port: 0, adminPort: 0, dir: join(dir, "mesh"), log: quiet });
});

afterAll(async () => {
  await mesh.stop();
  await agent?.stop({ leavePods: false });
  kube.close();
  await api.stop();
  await registry.stop();
  await rm(dir, { recursive: true, force: true });
});

async function pushImage(host: string): Promise<string> {
  const files = join(dir, "files");
  await mkdir(files);
  await writeFile(join(files, "server.mjs"), program);
  const cacheDir = join(dir, "layers");
  const client = new RegistryClient({ url: `http://${host}`, chunkBytes: 1_024 ** 3 });
  const { digest } = await writeImage({
    client,
    base: [await makeNodeBaseLayer({ nodePath: process.execPath, dir: sharedFolder("bases") })],
    files: { dir: files, copy: ["server.mjs"], at: "/app" },
    command: ["node", "server.mjs"],
    createdAt: instant("2026-01-05T09:00:00.000Z"),
    repository: "orders",
    cacheDir,
  });
  await client.close();
  return `${host}/orders@${digest}`;
}

async function make(path: string, body: object): Promise<void> {
  await kube.call("POST", path, { body });
}

function ask(path = "/"): Promise<{ status: number; version: string; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(new URL(path, mesh.url), { headers: { host: "orders.prod.localhost" } }, (answer) => {
      const version = String(answer.headers["x-slipway-version"]);
      text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, version, body }), reject);
    });
    asking.on("error", reject).end();
  });
}

type Pod = { metadata: { name: string }; status: { containerStatuses: { restartCount: number }[] } };

async function pods(): Promise<Pod[]> {
  return ((await kube.call("GET", "/api/v1/namespaces/prod/pods")) as { items: Pod[] }).items;
}

describe("a local region as a whole", () => {
  it("runs a Deployment from an image that it pulled by digest, and routes requests to it", async () => {
    await make("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "prod" } });
    await make("/api/v1/namespaces/prod/services", {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "orders" },
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8_080 }] },
    });
    const env = [{ name: "GREETING", value: "hello" }];
    const probe = { httpGet: { path: "/healthz", port: 8_080 }, periodSeconds: 1 };
    const container = { name: "app", image, env, ports: [{ containerPort: 8_080 }], readinessProbe: probe };
    await make(apps, {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "orders-aaaaaaa-aaaaa", labels },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container], terminationGracePeriodSeconds: 5 } },
      },
    });

    await until(async () => (await ask()).status === 200, { what: "the service answers", timeoutMs: 60_000 });
    await until(
      async () => {
        const found = (await kube.call("GET", `${apps}/orders-aaaaaaa-aaaaa`)) as {
          status?: { readyReplicas?: number };
        };
        return found.status?.readyReplicas === 2;
      },
      { what: "both are ready" },
    );

    expect(await ask()).toEqual({ status: 200, version: "orders-aaaaaaa-aaaaa", body: "hello" });
  });

  it("gives the log of a pod through its API", async () => {
    await ask("/a-line-of-its-own");
    const access = await readKubeconfig(api.kubeconfigPath);
    const names = (await pods()).map(({ metadata }) => metadata.name);
    const signal = new AbortController();
    const logs = await Promise.all(
      names.map(async (name) => {
        const client = createKubeClient(access);
        const answer = await client.open(
          `/api/v1/namespaces/prod/pods/${name}/log`,
          { tailLines: "50" },
          signal.signal,
        );
        const all = await text(answer);
        client.close();
        return all;
      }),
    );

    expect(names).toHaveLength(2);
    expect(logs.join("")).toContain("/a-line-of-its-own\n");
  });

  it("serves on while its agent is replaced, and loses no request when it scales down", async () => {
    const failed: unknown[] = [];
    let asked = 0;
    const ending = new AbortController();
    const load = (async () => {
      while (!ending.signal.aborted) {
        const { status } = await ask();
        asked += 1;
        if (status !== 200) failed.push(status);
      }
    })();

    try {
      await agent?.stop({ leavePods: true });
      const { node, kubeconfigPath: kubeconfig } = api;
      agent = await startAgent({ region: "test", node, kubeconfig, dir: join(dir, "agent"), log: quiet });
      const seen = asked;
      await until(() => asked > seen + 50, { what: "requests under the new agent" });
      const body = { spec: { replicas: 1 } };
      await kube.call("PATCH", `${apps}/orders-aaaaaaa-aaaaa`, { body, contentType: mergePatch });
      await until(async () => (await pods()).length === 1, { what: "one pod is gone" });
    } finally {
      ending.abort();
      await load;
    }

    expect(failed).toEqual([]);
    expect((await pods())[0]?.status.containerStatuses[0]?.restartCount).toBe(0);
  });
});
