import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mesh, startMesh } from "@slipway/local-region";
import { countedService, freePort } from "@slipway/testkit";

const ignore = () => undefined;
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

export type CountingMesh = {
  /** Of its metrics, the same after a restart. */
  readonly adminUrl: string;
  ask(path: string): Promise<void>;
  restart(): Promise<void>;
  takeAway(): Promise<void>;
  stop(): Promise<void>;
};

/** The mesh proxy of a local region before one pod, which answers `/bad` with 500. */
export async function startCountingMesh(): Promise<CountingMesh> {
  const dir = await mkdtemp(join(tmpdir(), "slipway-metrics-"));
  const pod = createServer((asked, answer) => void answer.writeHead(asked.url === "/bad" ? 500 : 200).end());
  await new Promise<void>((resolve) => pod.listen(0, "127.0.0.1", resolve));
  await keepRoutes(dir, (pod.address() as AddressInfo).port);
  const adminPort = await freePort();
  const start = () => startMesh({ region: "test", kubeconfig: join(dir, "kubeconfig"), port: 0, adminPort, dir, log });
  let mesh: Mesh | undefined = await start();
  const takeAway = async () => {
    await mesh?.stop();
    mesh = undefined;
  };
  return {
    adminUrl: mesh.adminUrl,
    takeAway,
    async restart() {
      await takeAway();
      mesh = await start();
    },
    async ask(path) {
      if (mesh === undefined) throw new Error("the mesh is away");
      await askMesh(mesh.url, path);
    },
    async stop() {
      await takeAway();
      pod.closeAllConnections();
      await new Promise((resolve) => pod.close(resolve));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** The proxy's API stays away: it serves the routes that it kept. */
async function keepRoutes(dir: string, port: number): Promise<void> {
  const labels = { "slipway.dev/version": countedService.versions[0] };
  const { environment: namespace, service: name } = countedService;
  const routes = {
    services: [{ namespace, name, selector: labels }],
    pods: [{ namespace, name: "p1", labels, host: "127.0.0.1", port }],
    virtualServices: [],
  };
  await writeFile(join(dir, "routes.json"), JSON.stringify(routes));
  const away = { name: "x", cluster: { server: "http://127.0.0.1:1" } };
  const context = { name: "x", context: { cluster: "x", user: "x" } };
  const config = { "current-context": "x", contexts: [context], clusters: [away], users: [{ name: "x", user: {} }] };
  await writeFile(join(dir, "kubeconfig"), JSON.stringify(config));
}

function askMesh(url: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asking = request(new URL(path, url), { headers: { host: "orders.prod" } }, (answer) => {
      answer.resume().once("end", resolve);
    });
    asking.on("error", reject).end();
  });
}
