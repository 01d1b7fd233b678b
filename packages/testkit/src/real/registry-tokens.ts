import { createSign, randomUUID, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { RegistryAuth } from "@slipway/oci";
import { makeCertificates } from "./certificates.ts";
import { runFolder } from "./part.ts";

export type RegistryTokens = {
  /** What the registry has to know of it. */
  readonly config: object;
  stop(): Promise<void>;
};

const service = "registry";
const issuer = "token server of a test";

/** A token server: whoever knows the password is given what they ask for, by a signed token that ends soon. */
export async function startRegistryTokens(user: RegistryAuth): Promise<RegistryTokens> {
  const certificates = await makeCertificates(await mkdtemp(join(runFolder(), "tokens-")));
  const [key, certificate] = await Promise.all([
    readFile(certificates.keyFile, "utf8"),
    readFile(certificates.certFile, "utf8"),
  ]);
  const chain = [new X509Certificate(certificate).raw.toString("base64")];
  const expected = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString("base64")}`;
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    if (request.headers.authorization !== expected) return void response.writeHead(401).end("{}");
    const scopes = new URL(request.url ?? "/", "http://tokens").searchParams.getAll("scope");
    const token = signed({ alg: "RS256", typ: "JWT", x5c: chain }, claims(user.username, scopes), key);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ token, expires_in: 300 }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  return {
    config: { realm, service, issuer, rootcertbundle: certificates.caFile },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function claims(subject: string, scopes: readonly string[]): object {
  const now = Math.floor(Date.now() / 1_000);
  const access = scopes.flatMap((scope) => {
    const [, type, name, actions = ""] = /^([a-z]+):([^:]+):(.+)$/.exec(scope) ?? [];
    return type === undefined ? [] : [{ type, name, actions: actions.split(",") }];
  });
  return {
    iss: issuer,
    sub: subject,
    aud: service,
    exp: now + 300,
    nbf: now - 30,
    iat: now,
    jti: randomUUID(),
    access,
  };
}

function signed(header: object, payload: object, key: string): string {
  const text = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${createSign("RSA-SHA256").update(text).sign(key, "base64url")}`;
}
