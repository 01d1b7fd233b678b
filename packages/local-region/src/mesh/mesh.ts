import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createCounters } from "./counters.ts";
import { loadRoutes, routeKeeper } from "./last-routes.ts";
import { type ProxyContext, proxyRequest, upstreamAgent } from "./proxy.ts";
import { followRegion } from "./region-view.ts";
import { buildRoutes, type RouteTable } from "./routes.ts";
import type { Mesh, MeshOptions } from "./types.ts";
import { proxyUpgrade } from "./upgrade.ts";

const drainMs = 5_000;
/** Longer than any client keeps an idle connection, so that it is the client who closes. */
const keepAliveMs = 65_000;

/** Routes requests of one region. Resolves when it listens; routes follow as soon as the API answers. */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const { region, port, adminPort, dir, log, random = Math.random } = options;
  const counters = createCounters(Date.now);
  const keeper = routeKeeper(dir);
  const saved = await loadRoutes(dir);
  let table: RouteTable = saved === undefined ? new Map() : buildRoutes(saved);
  let known = saved !== undefined;
  counters.serve(table);

  const context: ProxyContext = { table: () => table, counters, random, agent: upstreamAgent() };
  const server = createServer({ keepAliveTimeout: keepAliveMs }, (request, answer) =>
    proxyRequest(context, request, answer),
  );
  server.on("upgrade", (request, socket, head) => proxyUpgrade(context, request, socket, head));
  const admin = adminServer(
    () => counters.render(),
    () => known,
  );
  const url = await listen(server, port);
  const adminUrl = await listen(admin, adminPort);
  const following = await followRegion(options, (inputs) => {
    table = buildRoutes(inputs);
    known = true;
    counters.serve(table);
    keeper.keep(inputs);
  });
  log.info({ region, url, adminUrl }, "mesh proxy listens");
  return {
    url,
    adminUrl,
    async stop() {
      await following.stop();
      await close(server);
      await close(admin);
      context.agent.destroy();
      await keeper.settled();
    },
  };
}

function adminServer(metrics: () => string, known: () => boolean): Server {
  return createServer((request, answer) => {
    const path = (request.url ?? "").split("?", 1)[0];
    if (path === "/metrics") {
      const body = metrics();
      const headers = { "content-type": "text/plain; version=0.0.4", "content-length": Buffer.byteLength(body) };
      answer.writeHead(200, headers).end(body);
    } else if (path === "/healthz") {
      answer.writeHead(known() ? 200 : 503).end(known() ? "ok\n" : "no routes yet\n");
    } else answer.writeHead(404).end("not found\n");
  });
}

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1" }, () => {
      server.off("error", reject);
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
}

/** Lets open requests end, for a while. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const hard = setTimeout(() => server.closeAllConnections(), drainMs);
    server.close(() => {
      clearTimeout(hard);
      resolve();
    });
    server.closeIdleConnections();
  });
}
