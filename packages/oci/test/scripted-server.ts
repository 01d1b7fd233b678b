import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Seen = { readonly method: string; readonly url: string; readonly headers: IncomingMessage["headers"] };

export type ScriptedServer = {
  readonly url: string;
  readonly seen: Seen[];
  close(): Promise<void>;
};

export type Reply = { status: number; headers?: Record<string, string>; body?: string | Uint8Array };

/** A server that answers as a test says: misbehaving registries that a real one would never play. */
export async function scriptedServer(
  answer: (request: Seen, body: Buffer, response: ServerResponse) => Reply | undefined,
): Promise<ScriptedServer> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const one = { method: request.method ?? "", url: request.url ?? "", headers: request.headers };
    seen.push(one);
    const reply = answer(one, Buffer.concat(parts), response);
    if (reply !== undefined) response.writeHead(reply.status, reply.headers).end(reply.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
