import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type Client, createClient } from "@slipway/client";
import { getWatch, ProblemError, putWatch } from "@slipway/contracts";
import { type FaultProxy, startFaultProxy } from "@slipway/testkit";

/** What a scripted rollback-controller answers, asked by the real client over a network that can be made a bad one. */
export type OverNetwork = {
  readonly network: FaultProxy;
  readonly client: Client;
  /** What calls came to that failed. */
  readonly failures: readonly string[];
  /** From now on no call is given up: what waits for an answer waits for ever. */
  neverGivesUp(): void;
  stop(): Promise<void>;
};

export async function overNetwork(answerer: Client): Promise<OverNetwork> {
  const server = createServer(async (request, response) => {
    const { status, body } = await answered(answerer, request);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const network = await startFaultProxy((server.address() as AddressInfo).port);
  const failures: string[] = [];
  const client = createClient({ url: `http://127.0.0.1:${network.port}`, timeoutMs: 4_000 });
  let patience = {};
  return {
    ...{ network, failures },
    neverGivesUp() {
      patience = { timeoutMs: 600_000 };
    },
    client: {
      ...client,
      call: (async (...[operation, input]: Parameters<Client["call"]>) =>
        client.call(operation, { ...input, ...patience }).catch((error: unknown) => {
          failures.push(String(error));
          throw error;
        })) as Client["call"],
    },
    async stop() {
      await client.close();
      await network.stop();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function answered(answerer: Client, request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  const id = request.url?.split("/").at(-1) as never;
  const sent = await text(request);
  try {
    const found =
      request.method === "PUT"
        ? answerer.call(putWatch, { params: { id }, body: JSON.parse(sent) })
        : answerer.call(getWatch, { params: { id } });
    return { status: 200, body: await found };
  } catch (error) {
    const { status, code, message } =
      error instanceof ProblemError ? error : new ProblemError("internal", String(error));
    return { status, body: { type: "about:blank", title: code, status, code, detail: message } };
  }
}
