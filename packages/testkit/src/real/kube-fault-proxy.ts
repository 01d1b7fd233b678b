import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import type { Fault, Faults } from "@slipway/local-region";
import type { RealRegion } from "./kubernetes.ts";

/** A real API server whose answers can go wrong, in the very ways of a local region: its kubeconfigs are those for `port`. */
export type KubeFaultProxy = {
  readonly port: number;
  readonly faults: Faults;
  stop(): Promise<void>;
};

type Place = { readonly region: Pick<RealRegion, "port">; readonly faults: Faults; readonly agent: Agent };

/** It proves itself with the API server's own certificate, so that clients cannot tell the two apart; credentials pass through. */
export async function startKubeFaultProxy(region: Pick<RealRegion, "port" | "certificate">): Promise<KubeFaultProxy> {
  // Loaded here: most tests have no need of it.
  const { Faults } = await import("@slipway/local-region");
  const faults = new Faults();
  const agent = new Agent({ keepAlive: true, ca: region.certificate.cert });
  const sockets = new Set<Duplex>();
  const server = createServer(region.certificate, (asked, answer) => {
    answer.on("error", () => undefined);
    void serve({ region, faults, agent }, asked, answer).catch(() => answer.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    faults,
    async stop() {
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function serve(place: Place, asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  const { pathname: path, searchParams: query } = new URL(asked.url ?? "/", "https://region");
  const fault = place.faults.take({ method: asked.method ?? "", path, query });
  if (fault?.kind === "answer") return refuse(fault, asked, answer);
  if (fault?.kind === "drop" && fault.when === "before") return void answer.destroy();
  if (fault?.kind === "delay" && fault.when === "before") await pause(fault.ms);
  const got = await forward(place, asked, answer);
  if (fault?.kind === "drop") {
    // It has taken hold when its answer has begun.
    got.destroy();
    return void answer.destroy();
  }
  if (fault?.kind === "delay" && fault.when === "after") await pause(fault.ms);
  answer.writeHead(got.statusCode ?? 502, got.headers);
  // A watch to which nothing comes has an answer all the same.
  answer.flushHeaders();
  got.on("error", () => answer.destroy()).pipe(answer);
  if (query.get("watch") === "true")
    answer.once(
      "close",
      place.faults.onCloseWatches(() => answer.destroy()),
    );
}

function forward({ region, agent }: Place, asked: IncomingMessage, answer: ServerResponse): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, url: path, headers } = asked;
    const sent = request({ host: "127.0.0.1", port: region.port, method, path, headers, agent }, resolve);
    sent.on("error", reject);
    asked.pipe(sent);
    answer.once("close", () => sent.destroy());
  });
}

const reasons = { 409: "Conflict", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable" } as const;

/** As the real server words it. */
function refuse(
  { code, retryAfterSeconds }: Fault & { readonly kind: "answer" },
  asked: IncomingMessage,
  answer: ServerResponse,
) {
  asked.resume();
  const reason = reasons[code];
  const after = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  answer.writeHead(code, { "content-type": "application/json", ...after });
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure" };
  answer.end(JSON.stringify({ ...status, message: `${reason}: made by a test`, reason, code }));
}
