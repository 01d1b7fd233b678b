import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { chooseBackend } from "./choose.ts";
import type { Unreached } from "./counters.ts";
import { endpointsInTurn, type ProxyContext, unreachedOf } from "./proxy.ts";

const connectTimeoutMs = 2_000;

/**
 * Passes an upgrade (a websocket) through to a pod. Its bytes stay on the version that was chosen when it was opened, and
 * it counts as one request, by the time it took to connect.
 */
export function proxyUpgrade(context: ProxyContext, client: IncomingMessage, socket: Duplex, head: Buffer): void {
  const startedAt = performance.now();
  const { method = "GET", url = "/", headers } = client;
  socket.on("error", () => socket.destroy());
  const choice = chooseBackend(context.table(), { method, url, headers }, context.random());
  if (choice.kind === "none") {
    refuse(socket);
    return;
  }
  const endpoint = endpointsInTurn(choice.backend)[0];
  const { service, namespace } = choice.routes;
  const { version, pod } = endpoint ?? { version: choice.backend.version, pod: "" };
  const count = (code: number, unreached?: Unreached): void =>
    context.counters.observe({ service, namespace, version, pod, code, ms: performance.now() - startedAt, unreached });
  if (endpoint === undefined) {
    count(503, unreachedOf(choice, endpoint));
    refuse(socket);
    return;
  }
  const upstream = connect({ host: endpoint.host, port: endpoint.port });
  let connected = false;
  upstream.setTimeout(connectTimeoutMs, () => upstream.destroy());
  upstream.once("connect", () => {
    connected = true;
    upstream.setTimeout(0);
    count(101);
    upstream.write(requestHead(client, method, url));
    upstream.write(head);
    socket.pipe(upstream).pipe(socket);
  });
  upstream.on("error", () => upstream.destroy());
  upstream.once("close", () => {
    // 499 = the client left before there was a connection.
    if (!connected && socket.destroyed) count(499);
    else if (!connected) count(503, unreachedOf(choice, endpoint));
    socket.destroy();
  });
  socket.once("close", () => upstream.destroy());
}

function refuse(socket: Duplex): void {
  socket.end("HTTP/1.1 503 Service Unavailable\r\nx-slipway-error: no_ready_endpoint\r\ncontent-length: 0\r\n\r\n");
}

function requestHead(client: IncomingMessage, method: string, url: string): string {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let at = 0; at + 1 < client.rawHeaders.length; at += 2) {
    lines.push(`${client.rawHeaders[at]}: ${client.rawHeaders[at + 1]}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}
