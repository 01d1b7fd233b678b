import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { makeCertificates } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openImageSource, RegistryClient, registryProblem } from "../src/index.ts";

type Registry = { readonly host: string; readonly url: string; readonly ca: string; connections(): number };

const trusted = getCACertificates("default");
const servers: Server[] = [];
let folder: string;
let unknown: Registry;
let expired: Registry;
let ofAnother: Registry;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-untrusted-"));
  [unknown, expired, ofAnother] = await Promise.all([
    serve("unknown", {}),
    serve("expired", { days: -1 }),
    serve("another", { names: "DNS:registry.example,DNS:*.registry.example" }),
  ]);
});
afterEach(() => setDefaultCACertificates(trusted));
afterAll(async () => {
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
  await rm(folder, { recursive: true });
});

/** An empty registry behind TLS. */
async function serve(name: string, how: { names?: string; days?: number }): Promise<Registry> {
  const dir = join(folder, name);
  await mkdir(dir);
  const { certFile, keyFile, ca } = await makeCertificates(dir, how);
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  const server = createServer({ cert, key }, ({ url }, response) => {
    response.writeHead(url === "/v2/" ? 200 : 404, { "content-type": "application/json" }).end("{}");
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  let connections = 0;
  server.on("connection", () => {
    connections += 1;
  });
  return { host, url: `https://${host}`, ca, connections: () => connections };
}

const trust = (...registries: Registry[]) => setDefaultCACertificates([...trusted, ...registries.map(({ ca }) => ca)]);

async function refusal(asking: Promise<unknown>): Promise<unknown> {
  return await asking.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** What each of the ways to ask a registry says. */
async function said({
  host,
  url,
}: Registry): Promise<{ client: unknown; image: unknown; problem: string | undefined }> {
  const client = new RegistryClient({ url });
  const source = openImageSource({ into: join(folder, "images"), access: () => ({ url }) });
  const name = { host, repository: "library/app", tag: "1", digest: undefined };
  try {
    return {
      client: await refusal(client.getManifest("app", "1")),
      image: await refusal(source.resolve(name)),
      problem: await registryProblem(host, { url }, "SLIPWAY_IMAGE_REGISTRIES"),
    };
  } finally {
    await Promise.all([client.close(), source.close()]);
  }
}

describe("a registry whose certificate is not believed is named with what to do, at once", () => {
  test.each([
    [
      "is by an authority that nobody trusts",
      () => unknown,
      (host: string) =>
        `the certificate of ${host} is not trusted: give its authority to the process that asks (NODE_EXTRA_CA_CERTS)`,
    ],
    [
      "has expired",
      () => expired,
      (host: string) => `the certificate of ${host} has expired: renew it there, or correct this machine's clock`,
    ],
    [
      "is of another name",
      () => ofAnother,
      (host: string) =>
        `the certificate of ${host} is of another name (DNS:registry.example, DNS:*.registry.example): name the registry as its certificate does, or give it one for ${host}`,
    ],
  ])("where it %s", async (_, which, sentence) => {
    const registry = which();
    if (registry !== unknown) trust(registry);
    const before = registry.connections();

    const { client, image, problem } = await said(registry);

    const message = sentence(registry.host);
    expect(client).toMatchObject({ kind: "untrusted", message });
    expect(image).toMatchObject({
      kind: "untrusted",
      message: `the image ${registry.host}/library/app:1 could not be had: ${message}`,
    });
    expect(problem).toBe(`${message}, or correct its URL in SLIPWAY_IMAGE_REGISTRIES`);
    // Such a thing is not asked for again until the deadline of 30 s: it does not pass by itself. One for each way of asking.
    expect(registry.connections() - before).toBe(3);
  });

  test("also where it is the one that the registry sends its clients to", async () => {
    const server = createServer(await filesOf("unknown"), (_, response) => {
      response.writeHead(401, { "www-authenticate": `Bearer realm="${expired.url}/token"` }).end();
    }).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    trust(unknown, expired);
    const client = new RegistryClient({ url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` });

    expect(await refusal(client.getManifest("app", "1"))).toMatchObject({
      kind: "untrusted",
      message: expect.stringContaining(`the certificate of ${expired.host} has expired`),
    });
    await client.close();
  });
});

async function filesOf(name: string): Promise<{ cert: Buffer; key: Buffer }> {
  const [cert, key] = await Promise.all(["cert.pem", "key.pem"].map((file) => readFile(join(folder, name, file))));
  return { cert: cert!, key: key! };
}

test("a registry under an authority of one's own that was given to the process is asked as any other", async () => {
  trust(unknown);

  const { client, image, problem } = await said(unknown);

  expect([client, problem]).toEqual([undefined, undefined]);
  expect(image).toMatchObject({ kind: "not_found" });
});

test("a registry that speaks no TLS where https was said is told so", async () => {
  const { createServer: plain } = await import("node:http");
  const server = plain((_, response) => response.end("{}")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  expect(await registryProblem(host, { url: `https://${host}` }, "SLIPWAY_IMAGE_REGISTRIES")).toBe(
    `the registry ${host} does not speak TLS: start it with a certificate, or correct its URL in SLIPWAY_IMAGE_REGISTRIES`,
  );
  server.close();
});
