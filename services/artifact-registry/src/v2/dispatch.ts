import { readBlob } from "./blobs.ts";
import { OciProblem } from "./errors.ts";
import type { Answer, Exchange, Registry } from "./exchange.ts";
import { referrersList, tagsList } from "./listings.ts";
import { readManifest, writeManifest } from "./manifests.ts";
import type { Route } from "./route.ts";
import { cancelUpload, finishUpload, patchUpload, startUpload, uploadStatus } from "./uploads.ts";

/** The methods of each kind of path. Deleting is refused by policy: what nobody needs is collected, never removed by hand. */
const methods: Record<Route["kind"], readonly string[]> = {
  base: ["GET", "HEAD"],
  blob: ["GET", "HEAD"],
  uploads: ["POST"],
  upload: ["GET", "PATCH", "PUT", "DELETE"],
  manifest: ["GET", "HEAD", "PUT"],
  tags: ["GET"],
  referrers: ["GET"],
};

/** True where the request changes nothing. */
export function isRead(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** Answers one authorised request. */
export function dispatch(registry: Registry, exchange: Exchange, route: Route): Promise<Answer> {
  if (!methods[route.kind].includes(exchange.method)) {
    const allow = methods[route.kind].join(", ");
    throw new OciProblem("UNSUPPORTED", `${exchange.method} is not supported here`, { headers: { allow } });
  }
  switch (route.kind) {
    case "base":
      return Promise.resolve({ status: 200, headers: { "content-type": "application/json" }, body: "{}" });
    case "blob":
      return readBlob(registry, exchange, route);
    case "uploads":
      return startUpload(registry, exchange, route);
    case "upload":
      return onUpload(registry, exchange, route);
    case "manifest":
      return isRead(exchange.method)
        ? readManifest(registry, exchange, route)
        : writeManifest(registry, exchange, route);
    case "tags":
      return tagsList(registry, exchange, route);
    case "referrers":
      return referrersList(registry, exchange, route);
  }
}

function onUpload(registry: Registry, exchange: Exchange, route: Extract<Route, { kind: "upload" }>): Promise<Answer> {
  if (exchange.method === "PATCH") return patchUpload(registry, exchange, route);
  if (exchange.method === "PUT") return finishUpload(registry, exchange, route);
  if (exchange.method === "DELETE") return cancelUpload(registry, route);
  return uploadStatus(registry, route);
}
