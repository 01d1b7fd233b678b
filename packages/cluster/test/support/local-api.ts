import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, connect as dial, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiServer, type ApiServerOptions, Faults, startApiServer } from "@slipway/local-region";
import { type Connection, connect } from "../../src/connection.ts";
import { silent } from "./silent.ts";

export type LocalApi = {
  readonly faults: Faults;
  readonly server: () => ApiServer;
  readonly kubeconfig: string;
  readonly context: string;
  open(options?: { kubeconfig?: string; timeoutMs?: number }): Promise<Connection>;
  /** A kubeconfig that leads to what stands before the server at this port. */
  kubeconfigFor(port: number): Promise<string>;
  /** Stops the server and starts it again over the same folder. */
  restart(options?: Partial<ApiServerOptions>): Promise<void>;
  close(): Promise<void>;
};

/** An API server of a local region in a folder of its own. */
export async function localApi(some: Partial<ApiServerOptions> = {}): Promise<LocalApi> {
  const dir = await mkdtemp(join(tmpdir(), "slipway-cluster-"));
  const faults = new Faults();
  const name = "us-east-1";
  const start = (more: Partial<ApiServerOptions> = {}) =>
    startApiServer({ name, dir: join(dir, "api"), port: 0, log: silent, faults, ...some, ...more });
  let server = await start();
  const opened: Connection[] = [];
  return {
    faults,
    server: () => server,
    kubeconfig: server.kubeconfigPath,
    context: name,
    async open({ kubeconfig = server.kubeconfigPath, timeoutMs = 5_000 } = {}) {
      const connection = await connect({ region: name, kubeconfig, context: name, timeoutMs });
      opened.push(connection);
      return connection;
    },
    async kubeconfigFor(port) {
      const path = `${server.kubeconfigPath}.${port}`;
      const text = await readFile(server.kubeconfigPath, "utf8");
      await writeFile(path, text.replaceAll(`:${server.port}`, `:${port}`), { mode: 0o600 });
      return path;
    },
    async restart(more) {
      await server.stop();
      server = await start(more);
    },
    async close() {
      for (const connection of opened) await connection.close();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A TCP proxy in front of the server that counts connections, with a kubeconfig that leads to it. */
export async function countingProxy(api: LocalApi) {
  const sockets = new Set<Socket>();
  let connections = 0;
  const proxy = createServer((inner) => {
    connections += 1;
    const outer = dial(api.server().port, "127.0.0.1");
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => [inner, outer].forEach((each) => void each.destroy()));
    }
    inner.pipe(outer).pipe(inner);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    kubeconfig: await api.kubeconfigFor(address.port),
    connections: () => connections,
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy();
        proxy.close(() => resolve());
      }),
  };
}
