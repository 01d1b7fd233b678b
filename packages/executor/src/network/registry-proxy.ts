import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";

/** One wish of a step to reach a host. */
export type NetworkRequest = { readonly host: string; readonly allowed: boolean };

export type RegistryProxyOptions = {
  /** `host:port`, in lower case. */
  readonly allowed: readonly string[];
  /** Told of every connection and every plain request, before it is made or refused. */
  onRequest(request: NetworkRequest): void;
};

export type RegistryProxy = {
  /** Path of its socket on this machine. */
  readonly socket: string;
  close(): Promise<void>;
};

const connectWithinMs = 10_000;

/**
 * An HTTP proxy on a unix socket that leads to the given hosts and nowhere else. What goes through a tunnel is the caller's own TLS and is not
 * looked into; the host that it names is what it is connected to.
 */
export async function startRegistryProxy(options: RegistryProxyOptions): Promise<RegistryProxy> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-net-"));
  const socket = join(folder, "s");
  const open = new Set<Duplex>();
  const server = createServer((incoming, answer) => passOn(options, incoming, answer));
  server.on("connect", (incoming: IncomingMessage, near: Duplex) => tunnel(options, incoming, near, open));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, resolve);
  });
  // The step has an uid of its own; who else is on this machine is kept out by the folder.
  await chmod(socket, 0o666);
  return { socket, close: () => close(server, open, folder) };
}

async function close(server: Server, open: ReadonlySet<Duplex>, folder: string): Promise<void> {
  for (const one of open) one.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
}

function refusal(host: string, allowed: readonly string[]): string {
  return `slipway: ${host} is not one of the package registries of this machine (${allowed.join(", ")})\n`;
}

function tunnel(options: RegistryProxyOptions, incoming: IncomingMessage, near: Duplex, open: Set<Duplex>): void {
  const host = (incoming.url ?? "").toLowerCase();
  const allowed = options.allowed.includes(host);
  options.onRequest({ host, allowed });
  near.on("error", () => near.destroy());
  if (!allowed) {
    const text = refusal(host, options.allowed);
    near.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return;
  }
  const colon = host.lastIndexOf(":");
  const far = connect({ host: host.slice(0, colon), port: Number(host.slice(colon + 1)) });
  open.add(near).add(far);
  const end = (): void => {
    near.destroy();
    far.destroy();
    open.delete(near);
    open.delete(far);
  };
  far.setTimeout(connectWithinMs, () => near.end("HTTP/1.1 504 Gateway Timeout\r\n\r\n"));
  far.once("connect", () => {
    far.setTimeout(0);
    near.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    far.pipe(near).pipe(far);
  });
  far.once("error", () => near.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
  far.once("close", end);
  near.once("close", end);
}

/** Plain HTTP in absolute form, for registries without TLS. */
function passOn(options: RegistryProxyOptions, incoming: IncomingMessage, answer: ServerResponse): void {
  const url = URL.canParse(incoming.url ?? "") ? new URL(incoming.url ?? "") : undefined;
  const host = url === undefined ? "?" : `${url.hostname}:${url.port === "" ? "80" : url.port}`;
  const allowed = url?.protocol === "http:" && options.allowed.includes(host);
  options.onRequest({ host, allowed });
  if (!allowed || url === undefined) {
    answer.writeHead(403, { "content-type": "text/plain" }).end(refusal(host, options.allowed));
    return;
  }
  const { "proxy-connection": _proxy, ...headers } = incoming.headers;
  const far = request(url, { method: incoming.method ?? "GET", headers: { ...headers, host: url.host } }, (back) => {
    answer.writeHead(back.statusCode ?? 502, back.headers);
    back.pipe(answer);
  });
  far.on("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
  incoming.pipe(far);
}
