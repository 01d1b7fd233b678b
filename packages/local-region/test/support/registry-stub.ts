import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** As much of an OCI registry as one push and one pull need, in memory. */
export class RegistryStub {
  readonly #blobs = new Map<string, Buffer>();
  readonly #server: Server = createServer((request, answer) => void this.#answer(request, answer));

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://registry");
    if (request.method === "POST") {
      answer.writeHead(202, { location: `${url.pathname}${randomUUID()}` }).end();
      return;
    }
    if (request.method === "PUT") {
      const bytes = await buffer(request);
      const digest = url.searchParams.get("digest") ?? `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
      this.#blobs.set(digest, bytes);
      answer.writeHead(201, { "docker-content-digest": digest, location: url.pathname }).end();
      return;
    }
    const digest = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) {
      answer.writeHead(404).end();
      return;
    }
    const isManifest = url.pathname.includes("/manifests/");
    const type = isManifest ? "application/vnd.oci.image.manifest.v1+json" : "application/octet-stream";
    answer.writeHead(200, { "content-type": type, "content-length": bytes.length, "docker-content-digest": digest });
    answer.end(request.method === "HEAD" ? undefined : bytes);
  }
}
