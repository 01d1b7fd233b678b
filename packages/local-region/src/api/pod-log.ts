import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError, badRequest } from "./api-error.ts";
import type { Region } from "./region.ts";
import { fieldAt, isRecord, type Stored } from "./stored.ts";

/** Streams what a pod printed. Throws ApiError before anything was sent. */
export async function sendPodLog(
  region: Region,
  pod: Stored,
  query: URLSearchParams,
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
): Promise<void> {
  checkQuery(pod, query);
  if (region.podLogs === undefined) throw new ApiError(501, "NotImplemented", "this server has no access to pod logs");
  const { response } = exchange;
  const leaving = new AbortController();
  response.once("close", () => leaving.abort());
  const chunks = region.podLogs({
    uid: pod.metadata.uid,
    follow: query.get("follow") === "true",
    previous: query.get("previous") === "true",
    ...numberFrom(query, "tailLines"),
    ...numberFrom(query, "limitBytes"),
    signal: leaving.signal,
  });
  response.writeHead(200, { "content-type": "text/plain", "cache-control": "no-cache, private" });
  response.flushHeaders();
  try {
    for await (const chunk of chunks) {
      if (!response.write(chunk)) await once(response, "drain", { signal: leaving.signal });
      if (leaving.signal.aborted) return;
    }
    response.end();
  } catch (error) {
    if (leaving.signal.aborted) return;
    region.log.warn({ pod: pod.metadata.name, message: String(error) }, "pod log broke off");
    response.destroy();
  }
}

function checkQuery(pod: Stored, query: URLSearchParams): void {
  const { name } = pod.metadata;
  const all = containers(pod);
  const container = query.get("container") ?? (all.length > 1 ? undefined : all[0]) ?? "";
  if (container === "")
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${all.join(" ")}]`);
  if (!all.includes(container)) throw badRequest(`container ${container} is not valid for pod ${name}`);
  const untold = ["sinceTime", "sinceSeconds"].find((asked) => query.has(asked));
  if (untold !== undefined || query.get("timestamps") === "true") {
    throw badRequest(`a local region keeps no times with its logs: ${untold ?? "timestamps"} cannot be answered`);
  }
  const status = statusOf(pod, container);
  if (query.get("previous") !== "true") checkStarted(name, container, status);
  else if (!isRecord(fieldAt(status, "lastState", "terminated"))) {
    throw badRequest(`previous terminated container "${container}" in pod "${name}" not found`);
  }
}

function checkStarted(pod: string, container: string, status: unknown): void {
  const waiting = fieldAt(status, "state", "waiting");
  const ran = Number(fieldAt(status, "restartCount") ?? 0) > 0 || isRecord(fieldAt(status, "lastState", "terminated"));
  if (ran || (status !== undefined && !isRecord(waiting))) return;
  const reason = fieldAt(waiting, "reason");
  const why = typeof reason === "string" && reason !== "" ? reason : "ContainerCreating";
  throw badRequest(`container "${container}" in pod "${pod}" is waiting to start: ${why}`);
}

function containers(pod: Stored): string[] {
  const list = fieldAt(pod, "spec", "containers");
  return Array.isArray(list) ? list.map((each) => String(fieldAt(each, "name"))) : [];
}

function statusOf(pod: Stored, container: string): unknown {
  const list = fieldAt(pod, "status", "containerStatuses");
  return Array.isArray(list) ? list.find((each) => fieldAt(each, "name") === container) : undefined;
}

function numberFrom<N extends string>(query: URLSearchParams, name: N): { [K in N]?: number } {
  const text = query.get(name);
  if (text === null) return {};
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw badRequest(`${name} must be a whole number of at least 0`);
  return { [name]: value } as { [K in N]?: number };
}
