import { writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { envoyBootstrap } from "./envoy-bootstrap.ts";
import type { RealIstiod } from "./istiod.ts";
import type { RealPart } from "./part.ts";
import { startRealServer } from "./server.ts";

export type RealMesh = {
  /** A pod's process: it answers every request with its version. The region is told of it by its status, not here. */
  serve(pod: { readonly ip: string; readonly port: number; readonly version: string }): Promise<void>;
  /** So many requests through Envoy; how many each version answered. A refusal counts under its status. */
  load(host: string, requests: number, clients?: number): Promise<Readonly<Record<string, number>>>;
  /** Percent by Service name, as Envoy has been told for this host; empty where it knows no such host. */
  shares(host: string): Promise<Readonly<Record<string, number>>>;
  /** Requests without end, until `still`. */
  flow(host: string, clients: number): Promise<void>;
  /** When each version answered last, by the clock of `machineMs`. */
  lastSeen(): Promise<Readonly<Record<string, number>>>;
  still(): Promise<Readonly<Record<string, number>>>;
  stop(): Promise<void>;
};

/** Milliseconds since the machine started: the same in all of its processes. */
export const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/**
 * One Envoy that istiod configures as a client's sidecar, with pods behind it. A region takes no loopback address for a pod, so all of it lives in a network
 * namespace of its own; nothing outside of it is changed or listens. Takes `unshare` and `ip`, and the right to make such a namespace.
 */
export async function startMesh(
  envoy: RealPart,
  istiod: RealIstiod,
  { namespace }: { readonly namespace: string },
): Promise<RealMesh> {
  let bridge: { close(): Promise<void> } | undefined;
  const asRoot = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  const server = await startRealServer(
    { ...envoy, program: "/usr/bin/unshare" },
    {
      args: ({ dir }) => [
        ...["--net", ...asRoot, process.execPath, join(import.meta.dirname, "mesh-process.ts")],
        ...[join(dir, "control"), envoy.program, join(dir, "envoy.json")],
      ],
      async prepare(dir) {
        const xdsSocket = join(dir, "xds");
        bridge = await bridgeTo(istiod.xdsPort, xdsSocket);
        const bootstrap = envoyBootstrap({ namespace, xds: xdsSocket, adminPort: 15_000 });
        await writeFile(join(dir, "envoy.json"), JSON.stringify(bootstrap));
      },
      answers: async (_, dir) => (await tell(join(dir, "control"), { kind: "seen" })) !== undefined,
    },
  );
  const control = join(server.dir, "control");
  type Seen = Readonly<Record<string, number>>;
  return {
    serve: async (pod) => void (await tell(control, { kind: "pod", ...pod })),
    load: async (host, requests, clients = 16) =>
      (await tell(control, { kind: "load", host, requests, clients })) as Seen,
    flow: async (host, clients) => void (await tell(control, { kind: "flow", host, clients })),
    shares: async (host) => sharesIn(await tell(control, { kind: "routes" }), host),
    lastSeen: async () => (await tell(control, { kind: "seen" })) as Seen,
    still: async () => (await tell(control, { kind: "still" })) as Seen,
    async stop() {
      await server.stop();
      await bridge?.close();
    },
  };
}

function tell(socketPath: string, command: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method: "POST" }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => (answer.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))));
    });
    sent.once("error", reject).end(JSON.stringify(command));
  });
}

type Cluster = { readonly name: string; readonly weight?: number };
type RouteDump = {
  readonly configs?: readonly {
    readonly route_config?: {
      readonly virtual_hosts?: readonly {
        readonly domains: readonly string[];
        readonly routes: readonly {
          readonly route?: {
            readonly cluster?: string;
            readonly weighted_clusters?: { readonly clusters: readonly Cluster[] };
          };
        }[];
      }[];
    };
  }[];
};

/** Of Envoy's own dump: `outbound|80||orders-a.shop.svc.cluster.local` is the Service orders-a. */
function sharesIn(dump: unknown, host: string): Record<string, number> {
  const hosts = ((dump as RouteDump).configs ?? []).flatMap(({ route_config }) => route_config?.virtual_hosts ?? []);
  const route = hosts.find(({ domains }) => domains.includes(host))?.routes[0]?.route;
  const lone = route?.cluster === undefined ? [] : [{ name: route.cluster, weight: 1 }];
  const clusters: readonly Cluster[] = route?.weighted_clusters?.clusters ?? lone;
  const total = clusters.reduce((sum, { weight = 0 }) => sum + weight, 0);
  return Object.fromEntries(
    clusters.map(({ name, weight = 0 }) => [name.split("|").at(-1)?.split(".")[0] ?? name, (weight / total) * 100]),
  );
}

/** A Unix socket that leads to a port of the loopback. */
async function bridgeTo(port: number, path: string): Promise<{ close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((inner) => {
    const outer = connect(port, "127.0.0.1");
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      const end = () => [inner, outer].forEach((each) => void each.destroy());
      socket.on("error", end).on("close", () => sockets.delete(socket) && end());
    }
    inner.pipe(outer).pipe(inner);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
