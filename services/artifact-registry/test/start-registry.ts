import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@slipway/client";
import { type RunningHost, readConfig, runHost } from "@slipway/host";
import { RegistryClient } from "@slipway/oci";
import { type Logger, silentLogger } from "@slipway/sql";
import { deliveredTwice, type TestDatabase, testDatabase } from "@slipway/testkit";
import { artifactRegistry } from "../src/index.ts";

export type TestRegistry = {
  readonly host: RunningHost;
  readonly database: TestDatabase;
  readonly dataDir: string;
  /** Typed calls as the token's owner. */
  as(name: string): Client;
  /** The OCI client as the token's owner. */
  oci(name: string, options?: { chunkBytes?: number; deadlineMs?: number }): RegistryClient;
  /** A raw /v2 request; `as: null` sends no token. */
  v2(method: string, path: string, options?: V2Options): Promise<Response>;
  close(): Promise<void>;
};

export type V2Options = {
  readonly as?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | ReadableStream<Uint8Array>;
};

/** The service as it runs in production, alone in a host, on a database of its own; `before`: what is in it already; `watch`: it looks at what it works with. */
export async function startRegistry(
  env: Readonly<Record<string, string>> = {},
  {
    log = silentLogger,
    before,
    watch = false,
  }: { log?: Logger; before?: (database: TestDatabase) => Promise<void>; watch?: boolean } = {},
): Promise<TestRegistry> {
  const database = await testDatabase(["bus", "access", "registry"]);
  await before?.(database);
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-registry-"));
  const host = await runHost({
    modules: [deliveredTwice(artifactRegistry)],
    config: readConfig({ SLIPWAY_DATA: dataDir, SLIPWAY_PORT: "0", ...env }, []),
    database: { adminUrl: database.adminUrl, roleUrl: (role) => database.url(role.replace("slipway_", "")) },
    log,
    watchBackends: watch,
    signals: false,
  });
  const token = (name: string) => host.tokens.get(name) ?? name;
  const open: { close(): Promise<void> }[] = [];
  const kept = <T extends { close(): Promise<void> }>(client: T): T => {
    open.push(client);
    return client;
  };
  return {
    host,
    database,
    dataDir,
    as: (name) => kept(createClient({ url: host.url, token: token(name) })),
    oci: (name, options = {}) =>
      kept(new RegistryClient({ url: host.url, auth: { username: name, password: token(name) }, ...options })),
    v2(method, path, { as = "artifact-registry", headers = {}, body } = {}) {
      const basic = Buffer.from(`anybody:${as === null ? "" : token(as)}`).toString("base64");
      return fetch(`${host.url}/v2/${path}`, {
        method,
        redirect: "manual",
        signal: AbortSignal.timeout(90_000),
        headers: { ...(as === null ? {} : { authorization: `Basic ${basic}` }), ...headers },
        ...(body === undefined ? {} : { body, duplex: "half" }),
      } as RequestInit);
    },
    async close() {
      for (const client of open) await client.close();
      await host.stop();
      await database.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

export const manifestType = "application/vnd.oci.image.manifest.v1+json";
export const indexType = "application/vnd.oci.image.index.v1+json";

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Bytes that no other test has. */
export function someBytes(size = 1_000): Buffer {
  return randomBytes(size);
}

export async function pushBlob(registry: TestRegistry, repository: string, bytes: Uint8Array): Promise<string> {
  const digest = sha256(bytes);
  const response = await registry.v2("POST", `${repository}/blobs/uploads/?digest=${digest}`, {
    body: bytes,
    headers: { "content-type": "application/octet-stream" },
  });
  if (response.status !== 201) throw new Error(`the blob was not taken: ${response.status} ${await response.text()}`);
  return digest;
}

/** A manifest of a config and one layer whose blobs are pushed. */
export async function pushedImage(registry: TestRegistry, repository: string, extra: object = {}) {
  const config = Buffer.from(JSON.stringify({ made: someBytes(8).toString("hex") }));
  const layer = someBytes();
  await pushBlob(registry, repository, config);
  await pushBlob(registry, repository, layer);
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: sha256(config),
      size: config.byteLength,
    },
    layers: [
      { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: sha256(layer), size: layer.byteLength },
    ],
    ...extra,
  });
  return { text, digest: sha256(text), config: sha256(config), layer: sha256(layer) };
}

export async function putManifest(
  registry: TestRegistry,
  repository: string,
  reference: string,
  text: string,
  type = manifestType,
): Promise<Response> {
  return registry.v2("PUT", `${repository}/manifests/${reference}`, { body: text, headers: { "content-type": type } });
}

/** The first error code of an OCI error body. */
export async function codeOf(response: Response): Promise<string | undefined> {
  const body = (await response.json()) as { errors?: { code?: string; message?: string }[] };
  return body.errors?.[0]?.code;
}
