import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

type Json = Record<string, unknown>;
export type StubObject = Json & { metadata: Json & { name: string; namespace: string; uid: string } };
type Change = { version: number; collection: string; type: string; object: StubObject };

const collections: Record<string, string> = {
  pods: "/api/v1/pods",
  secrets: "/api/v1/secrets",
  services: "/api/v1/services",
  virtualservices: "/apis/networking.istio.io/v1/virtualservices",
};

/** As much of a Kubernetes API as agent and mesh ask for, over plain http, which can die and come back on its port. */
export class KubeStub {
  readonly #objects = new Map<string, StubObject>();
  readonly #changes: Change[] = [];
  readonly #watches = new Set<{ collection: string; answer: ServerResponse }>();
  #version = 1;
  #server: Server | undefined;
  #port = 0;

  /** Every state of every pod, oldest first. */
  get seen(): readonly StubObject[] {
    return this.#changes.filter(({ collection }) => collection === collections.pods).map(({ object }) => object);
  }

  /** Ends all watches as a server does that has forgotten what they ask for. */
  expire(): void {
    const object = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };
    for (const { answer } of this.#watches) answer.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
    this.#watches.clear();
  }

  async start(): Promise<void> {
    const server = createServer((request, answer) => void this.#answer(request, answer));
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async die(): Promise<void> {
    const server = this.#server;
    this.#watches.clear();
    await new Promise((resolve) => {
      server?.close(resolve);
      server?.closeAllConnections();
    });
  }

  async kubeconfig(path: string): Promise<string> {
    const config = {
      "current-context": "x",
      contexts: [{ name: "x", context: { cluster: "x", user: "x" } }],
      clusters: [{ name: "x", cluster: { server: `http://127.0.0.1:${this.#port}` } }],
      users: [{ name: "x", user: { token: "secret" } }],
    };
    await writeFile(path, JSON.stringify(config));
    return path;
  }

  get(kind: string, namespace: string, name: string): StubObject | undefined {
    return this.#objects.get(`${collections[kind]}/${namespace}/${name}`);
  }

  put(kind: string, object: Json & { metadata: Json & { name: string; namespace: string } }): StubObject {
    const collection = collections[kind] ?? "";
    const { namespace, name } = object.metadata;
    const key = `${collection}/${namespace}/${name}`;
    const before = this.#objects.get(key);
    this.#version += 1;
    const uid = before?.metadata.uid ?? randomUUID();
    const stored = { ...object, metadata: { uid, ...object.metadata, resourceVersion: String(this.#version) } };
    this.#objects.set(key, stored as StubObject);
    this.#tell(collection, before === undefined ? "ADDED" : "MODIFIED", stored as StubObject);
    return stored as StubObject;
  }

  remove(kind: string, namespace: string, name: string): void {
    const collection = collections[kind] ?? "";
    const key = `${collection}/${namespace}/${name}`;
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#objects.delete(key);
    this.#version += 1;
    this.#tell(collection, "DELETED", {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.#version) },
    });
  }

  #tell(collection: string, type: string, object: StubObject): void {
    this.#changes.push({ version: this.#version, collection, type, object });
    for (const watch of this.#watches) {
      if (watch.collection === collection) watch.answer.write(`${JSON.stringify({ type, object })}\n`);
    }
  }

  async #answer(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://stub");
    const send = (status: number, body: Json): void =>
      void answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (request.headers.authorization !== "Bearer secret") return send(401, { message: "who are you" });
    if (Object.values(collections).includes(url.pathname)) return this.#collection(url, answer, send);
    const secret = this.#secret(url.pathname);
    if (secret !== undefined) return send(secret === null ? 404 : 200, secret ?? { message: "no such secret" });
    const [, namespace = "", name = ""] = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)/.exec(url.pathname) ?? [];
    const pod = this.get("pods", namespace, name);
    const body = JSON.parse((await text(request)) || "{}") as Json;
    const wanted = (body.metadata as Json | undefined)?.uid ?? (body.preconditions as Json | undefined)?.uid;
    if (pod === undefined) return send(404, { message: "no such pod" });
    if (wanted !== undefined && wanted !== pod.metadata.uid) return send(409, { message: "another pod of that name" });
    if (request.method === "DELETE") this.remove("pods", namespace, name);
    else this.put("pods", merge(pod, body) as StubObject);
    send(200, {});
  }

  /** Undefined for another path, null for one that is not there. */
  #secret(path: string): StubObject | null | undefined {
    const [, namespace, name] = /^\/api\/v1\/namespaces\/([^/]+)\/secrets\/([^/]+)$/.exec(path) ?? [];
    return namespace === undefined || name === undefined ? undefined : (this.get("secrets", namespace, name) ?? null);
  }

  #collection(url: URL, answer: ServerResponse, send: (status: number, body: Json) => void): void {
    const collection = url.pathname;
    if (url.searchParams.get("watch") !== "true") {
      const items = [...this.#objects].filter(([key]) => key.startsWith(`${collection}/`)).map(([, object]) => object);
      send(200, { metadata: { resourceVersion: String(this.#version) }, items });
      return;
    }
    const from = Number(url.searchParams.get("resourceVersion"));
    answer.writeHead(200, { "content-type": "application/json" }).flushHeaders();
    for (const change of this.#changes) {
      if (change.collection === collection && change.version > from) answer.write(`${JSON.stringify(change)}\n`);
    }
    const watch = { collection, answer };
    this.#watches.add(watch);
    answer.once("close", () => this.#watches.delete(watch));
  }
}

/** JSON merge patch. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const merged: Json = { ...(target as Json) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key] ?? {}, value);
  }
  return merged;
}
