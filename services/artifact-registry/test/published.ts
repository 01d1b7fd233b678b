import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { getArtifact, type PublicationView } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import type { TestRegistry } from "./start-registry.ts";

/** A registry that images are published to, with somebody before it who counts, and who may refuse. */
export type Front = {
  readonly host: string;
  /** Method and path of what was asked for, without queries. */
  readonly asked: string[];
  /** Answers in the registry's place where it answers true. */
  refuse: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  close(): Promise<void>;
};

export async function startFront(behind: string): Promise<Front> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    front.asked.push(`${request.method} ${path}`);
    if (front.refuse?.(request, response) === true) return;
    // Under the name by which it was asked: the registry says where to go on.
    const { method, headers } = request;
    const on = httpRequest(new URL(request.url ?? "/", behind), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    on.on("error", () => response.destroy());
    request.pipe(on);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const front: Front = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    refuse: undefined,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return front;
}

/** How an artifact's image is doing where it is published. */
export async function publicationOf(registry: TestRegistry, digest: string): Promise<PublicationView> {
  const { publication } = await registry.as("viewer").call(getArtifact, { params: { digest } });
  if (publication == null) throw new Error("nothing is published");
  return publication;
}

export function reaches(
  registry: TestRegistry,
  digest: string,
  is: (view: PublicationView) => boolean,
  what = "its publication to come so far",
): Promise<PublicationView> {
  const look = async () => ((view) => (is(view) ? view : undefined))(await publicationOf(registry, digest));
  return until(look, { what, timeoutMs: 60_000 });
}

export const isPublished = ({ status }: PublicationView) => status === "PUBLISHED";
