import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ForeignImage } from "./foreign-image.ts";

export type ForeignRegistry = {
  readonly host: string;
  readonly username: string;
  readonly password: string;
  add(image: ForeignImage): void;
  close(): void;
};

const token = "a-token-of-the-token-server";

/** A registry of somebody else's: it wants a token of its token server, which wants a password, as public registries have it. */
export async function foreignRegistry(): Promise<ForeignRegistry> {
  const [username, password] = ["ci", "correct horse battery staple"];
  const found = new Map<string, { readonly bytes: Buffer; readonly type: string }>();
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/token") === true) return giveToken(request, response, `${username}:${password}`);
    if (request.headers.authorization !== `Bearer ${token}`) {
      const challenge = `Bearer realm="http://${request.headers.host}/token",service="vendor"`;
      response.writeHead(401, { "www-authenticate": challenge }).end();
      return;
    }
    const entry = found.get(request.url?.split("/").at(-1) ?? "");
    if (entry === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": entry.type, "content-length": entry.bytes.length }).end(entry.bytes);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    username,
    password,
    add({ digest, manifest, mediaType, blobs }) {
      found.set(digest, { bytes: manifest, type: mediaType });
      for (const blob of blobs) found.set(blob.digest, { bytes: blob.bytes, type: "application/octet-stream" });
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function giveToken(request: IncomingMessage, response: ServerResponse, account: string): void {
  const right = request.headers.authorization === `Basic ${Buffer.from(account).toString("base64")}`;
  response.writeHead(right ? 200 : 401, { "content-type": "application/json" });
  response.end(JSON.stringify(right ? { token } : { errors: [{ code: "UNAUTHORIZED" }] }));
}
