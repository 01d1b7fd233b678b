import { randomUUID } from "node:crypto";
import type { Connection, Method, RequestOptions } from "../../src/connection.ts";
import { ApiStatus } from "../../src/errors.ts";
import type { PatchOperation } from "../../src/json-patch.ts";
import { applyPatch } from "./json-patch.ts";

type Kube = {
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    generation?: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
} & Record<string, unknown>;
type Change = { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly path: string; readonly object: Kube };

/**
 * The Kubernetes API's rules for objects, without a server: fast enough to try every interleaving. The contract suite
 * runs against it as against a real API server, so that it is not kinder.
 */
export class MemoryApi {
  readonly #objects = new Map<string, Kube>();
  readonly #watchers = new Set<(change: Change) => void>();
  #version = 100;

  /** Another API with the same objects. Objects are replaced, never changed in place. */
  copy(): MemoryApi {
    const copy = new MemoryApi();
    for (const [path, object] of this.#objects) copy.#objects.set(path, object);
    copy.#version = this.#version;
    return copy;
  }

  connection(region = "memory"): Connection {
    return {
      region,
      request: async (method, path, options = {}) => JSON.parse(JSON.stringify(this.#answer(method, path, options))),
      lines: async (path, query, signal) =>
        path.endsWith("/log")
          ? asLines(this.#log(path, query))
          : this.#watch(path, Number(query.resourceVersion), signal),
      close: async () => undefined,
    };
  }

  #answer(method: Method, url: string, options: RequestOptions): unknown {
    const path = url.replace(/\/status$/, "");
    if (path === "/version") return { major: "1", minor: "34" };
    if (method === "POST") return this.#create(path, options.body as Kube);
    if (method === "GET" && path.endsWith("/log")) return this.#log(path, options.query ?? {});
    if (method === "GET" && path.endsWith("/endpointslices")) return this.#slices(path, options.query?.labelSelector);
    if (method === "GET" && isCollection(path)) return this.#list(path, options.query?.labelSelector);
    const found = this.#objects.get(path);
    if (found === undefined) throw new ApiStatus(404, "NotFound", `${path} not found`);
    if (method === "PATCH") return this.#patch(path, found, options);
    if (method === "DELETE") return this.#delete(path, found, options.body);
    return found;
  }

  #create(collection: string, body: Kube): Kube {
    const namespace = /\/namespaces\/([^/]+)\//.exec(`${collection}/`)?.[1];
    if (namespace !== undefined && !this.#objects.has(`/api/v1/namespaces/${namespace}`)) {
      throw new ApiStatus(404, "NotFound", `namespaces "${namespace}" not found`);
    }
    const path = `${collection}/${body.metadata.name}`;
    if (this.#objects.has(path)) throw new ApiStatus(409, "AlreadyExists", `${path} already exists`);
    const metadata = { ...body.metadata, uid: randomUUID(), resourceVersion: this.#next() };
    const refusal = this.#refusal(namespace);
    if (refusal !== undefined && collection.endsWith("/pods")) throw new ApiStatus(403, "Forbidden", refusal);
    // A controller would have written this of a Deployment whose pods are refused.
    const failure = { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: refusal };
    const isRefused = refusal !== undefined && collection.endsWith("/deployments");
    const status = isRefused ? { status: { conditions: [failure] } } : {};
    return this.#store("ADDED", path, { ...structuredClone(body), ...status, metadata });
  }

  /** Every quota here is one of no pods. */
  #refusal(namespace: string | undefined): string | undefined {
    const quota = [...this.#objects.keys()].find((path) =>
      path.startsWith(`/api/v1/namespaces/${namespace}/resourceq`),
    );
    return quota === undefined ? undefined : `pods "some" is forbidden: exceeded quota: ${quota.split("/").at(-1)}`;
  }

  #patch(path: string, found: Kube, { body, contentType }: RequestOptions): Kube {
    if (contentType === "application/merge-patch+json") {
      return this.#update(path, found, merge(found, body) as Kube);
    }
    let patched: Kube;
    try {
      patched = applyPatch(found, body as readonly PatchOperation[]);
    } catch (error) {
      throw new ApiStatus(422, "Invalid", error instanceof Error ? error.message : String(error));
    }
    return this.#update(path, found, patched);
  }

  #update(path: string, found: Kube, wanted: Kube): Kube {
    const { uid, resourceVersion } = found.metadata;
    if (JSON.stringify(wanted) === JSON.stringify(found)) return found;
    if (found.immutable === true && JSON.stringify(wanted.data) !== JSON.stringify(found.data)) {
      throw new ApiStatus(422, "Invalid", "data: Forbidden: field is immutable when `immutable` is set");
    }
    if (wanted.metadata.resourceVersion !== resourceVersion)
      throw new ApiStatus(409, "Conflict", "object was modified");
    return this.#store("MODIFIED", path, {
      ...wanted,
      metadata: { ...wanted.metadata, uid, resourceVersion: this.#next() },
    });
  }

  #delete(path: string, found: Kube, body: unknown): object {
    const { preconditions = {} } = (body ?? {}) as { preconditions?: { uid?: string; resourceVersion?: string } };
    for (const field of ["uid", "resourceVersion"] as const) {
      if (preconditions[field] !== undefined && preconditions[field] !== found.metadata[field]) {
        throw new ApiStatus(409, "Conflict", `the ${field} in the precondition does not match`);
      }
    }
    this.#objects.delete(path);
    this.#tell({
      type: "DELETED",
      path,
      object: { ...found, metadata: { ...found.metadata, resourceVersion: this.#next() } },
    });
    return { kind: "Status", status: "Success" };
  }

  /** Nobody runs anything here: pods have printed nothing. */
  #log(path: string, { container }: Readonly<Record<string, string>>): string {
    const pod = this.#objects.get(path.slice(0, -"/log".length));
    if (pod === undefined) throw new ApiStatus(404, "NotFound", `${path} not found`);
    const names = (pod.spec as { containers: { name: string }[] }).containers.map(({ name }) => name);
    if (container === undefined && names.length > 1)
      throw new ApiStatus(400, "BadRequest", `a container name must be specified, choose one of: [${names.join(" ")}]`);
    if (container !== undefined && !names.includes(container))
      throw new ApiStatus(400, "BadRequest", `container ${container} is not valid`);
    return "";
  }

  #list(collection: string, selector: string | undefined): object {
    const items = [...this.#objects.entries()]
      .filter(([path]) => inCollection(path, collection))
      .map(([, object]) => object)
      .filter((object) => matches(object.metadata.labels ?? {}, selector));
    return { metadata: { resourceVersion: String(this.#version) }, items };
  }

  /** What a controller would have made of the Service and the pods that it selects. */
  #slices(collection: string, selector: string | undefined): object {
    const namespace = /\/namespaces\/([^/]+)\//.exec(collection)?.[1];
    const at = `/api/v1/namespaces/${namespace}`;
    const service = this.#objects.get(`${at}/services/${selector?.split("=")[1]}`);
    const wanted = Object.entries((service?.spec as { selector?: Record<string, string> } | undefined)?.selector ?? {});
    const selected = [...this.#objects.entries()]
      .filter(([path]) => wanted.length > 0 && inCollection(path, `${at}/pods`))
      .map(([, pod]) => pod)
      .filter(({ metadata: { labels = {} } }) => wanted.every(([label, value]) => labels[label] === value))
      .filter(({ status }) => (status as { podIP?: string } | undefined)?.podIP !== undefined);
    return { items: [{ endpoints: selected.map((pod) => ({ conditions: { ready: isReadyPod(pod) } })) }] };
  }

  #store(type: Change["type"], path: string, object: Kube): Kube {
    this.#objects.set(path, object);
    this.#tell({ type, path, object });
    return object;
  }

  #tell(change: Change): void {
    for (const watcher of this.#watchers) watcher(structuredClone(change));
  }

  #next(): string {
    this.#version += 1;
    return String(this.#version);
  }

  async *#watch(collection: string, from: number, signal: AbortSignal): AsyncGenerator<string> {
    const queue: string[] = [];
    let wake = () => {};
    if (from < this.#version) {
      yield JSON.stringify({
        type: "ERROR",
        object: { kind: "Status", code: 410, message: "too old resource version" },
      });
      return;
    }
    const watcher = ({ type, path, object }: Change) => {
      if (inCollection(path, collection)) queue.push(JSON.stringify({ type, object }));
      wake();
    };
    this.#watchers.add(watcher);
    const stop = () => wake();
    signal.addEventListener("abort", stop);
    try {
      while (!signal.aborted) {
        yield* queue.splice(0);
        if (queue.length > 0 || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener("abort", stop);
    }
  }
}

function isReadyPod(pod: Kube): boolean {
  const { conditions = [] } = (pod.status ?? {}) as { conditions?: readonly { type: string; status: string }[] };
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

const kinds = new Set([
  "namespaces",
  "services",
  "secrets",
  "pods",
  "deployments",
  "virtualservices",
  "destinationrules",
]);

async function* asLines(text: string): AsyncGenerator<string> {
  yield* text.split("\n").filter((line) => line !== "");
}

function isCollection(path: string): boolean {
  return kinds.has(path.split("/").at(-1) ?? "");
}

/** `…/virtualservices` also means those of all namespaces. */
function inCollection(path: string, collection: string): boolean {
  const parent = path.slice(0, path.lastIndexOf("/"));
  return parent === collection || parent.replace(/\/namespaces\/[^/]+(?=\/)/, "") === collection;
}

function matches(labels: Record<string, string>, selector: string | undefined): boolean {
  return (selector ?? "")
    .split(",")
    .filter((part) => part !== "")
    .every((part) => labels[part.split("=")[0] ?? ""] === part.split("=")[1]);
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = { ...(target as Record<string, unknown> | undefined) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}
