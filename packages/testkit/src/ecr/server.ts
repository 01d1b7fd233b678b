import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerApi, operationOf } from "./api.ts";
import { askBehind, type Behind, bytesOf, handOn, refuse } from "./behind.ts";
import { listReferrers, listTags, putManifest } from "./manifests.ts";
import type { AwsKey } from "./signature.ts";
import { type EcrState, notThere } from "./state.ts";
import { EcrUploads } from "./uploads.ts";

/**
 * Amazon ECR as its documentation and its users describe it, before a real registry that holds the bytes. In which it differs from other registries:
 *
 * - passwords come from GetAuthorizationToken, whose request must be signed, and end after 12 hours; one that has ended is 403 `DENIED` without
 *   a challenge, also for HEAD, which has no body to tell it from a right that is missing;
 * - a repository must have been made (CreateRepository): else 404 `NAME_UNKNOWN`;
 * - a tag of an immutable repository is 400 `TAG_INVALID`, also for the very manifest that it stands for;
 * - blobs are read from storage elsewhere, which refuses a request that carries credentials of the registry;
 * - no blob is mounted from another repository unless the account asks for it;
 * - a part of an upload is 201, at least 5 MiB but for the last, and `Range` stays at the end of the first one (aws/containers-roadmap#2831);
 * - tags come in no order, in pages whose beginning only ECR can read; too many requests are 429 `TOOMANYREQUESTS` without `Retry-After`.
 *
 * What the sources leave open is as the registry behind it does it, and a password that was never issued is as none: 401.
 */
export type EcrServer = {
  /** Of the registry and of ECR's own API. */
  readonly url: string;
  readonly port: number;
  readonly key: AwsKey;
  readonly account: string;
  readonly region: string;
  /** All that were given out so far. */
  passwords(): readonly string[];
  /** As CreateRepository. */
  makeRepository(name: string): void;
  /** All passwords have come to their end. */
  endPasswords(): void;
  /** So many of the next requests to the registry are too many. */
  throttle(requests: number): void;
  /** Whether the key may ask for passwords. */
  allow(passwords: boolean): void;
  /** Whether the key may make repositories. */
  allowRepositories(may: boolean): void;
  /** Whether the tags of a repository never move; undefined where nobody has made it. */
  isImmutable(repository: string): boolean | undefined;
  stop(): Promise<void>;
};

export async function startEcr(behind: Behind): Promise<EcrServer> {
  const state: EcrState = {
    ...{ account: "123456789012", region: "eu-west-1" },
    key: { accessKeyId: "AKIATESTKEYOFNOBODY", secretAccessKey: randomBytes(20).toString("hex") },
    ...{ repositories: new Map(), passwords: new Map(), referrers: new Map(), throttled: 0, allowed: true },
    mayMake: true,
  };
  const storage = await startStorage(behind);
  const uploads = new EcrUploads(behind);
  const front = await listen((request, response) => serve({ state, behind, uploads, storage }, request, response));
  return {
    ...{ url: `http://127.0.0.1:${front.port}`, port: front.port },
    ...{ key: state.key, account: state.account, region: state.region },
    passwords: () => [...state.passwords.keys()],
    makeRepository: (name) => void state.repositories.set(name, { immutable: false }),
    endPasswords: () => {
      for (const password of state.passwords.keys()) state.passwords.set(password, 0);
    },
    throttle: (requests) => {
      state.throttled = requests;
    },
    allow: (passwords) => {
      state.allowed = passwords;
    },
    allowRepositories: (may) => {
      state.mayMake = may;
    },
    isImmutable: (repository) => state.repositories.get(repository)?.immutable,
    async stop() {
      await front.stop();
      await storage.stop();
    },
  };
}

type Place = {
  readonly state: EcrState;
  readonly behind: Behind;
  readonly uploads: EcrUploads;
  readonly storage: Storage;
};

async function serve(place: Place, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const operation = operationOf(request);
  if (operation !== undefined) return answerApi(place.state, operation, request, await bytesOf(request), response);
  const url = new URL(request.url ?? "/", "http://ecr");
  if (!admitted(place.state, request, response)) return;
  const [, repository, what = "", reference = ""] =
    /^\/v2\/(.+)\/(blobs|manifests|tags|referrers)\/(.*)$/.exec(url.pathname) ?? [];
  if (url.pathname === "/v2/") return void response.writeHead(200, { "content-type": "application/json" }).end("{}");
  if (repository === undefined) return refuse(response, 404, "UNSUPPORTED", "there is no such endpoint");
  if (!place.state.repositories.has(repository)) {
    return refuse(response, 404, "NAME_UNKNOWN", notThere(place.state, repository));
  }
  return serveRepository(place, { repository, what, reference, url }, request, response);
}

type Asked = {
  readonly repository: string;
  readonly what: string;
  readonly reference: string;
  readonly url: URL;
};

async function serveRepository(
  place: Place,
  { repository, what, reference, url }: Asked,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const named = { repository, reference };
  if (what === "tags") return listTags(place, repository, url, response);
  if (what === "referrers") return listReferrers(place, named, response);
  if (what === "manifests" && request.method === "PUT") return putManifest(place, named, request, response);
  if (reference === "uploads/") return place.uploads.begin(url.pathname, response);
  if (reference.startsWith("uploads/")) return place.uploads.goOn(request, response, url);
  if (what === "blobs" && request.method === "GET") return toStorage(place, url.pathname, response);
  const asked = { method: request.method ?? "GET", path: url.pathname, headers: request.headers };
  await handOn(await askBehind(place.behind, asked), response);
}

/** Whether the request may go on; it is answered where it may not. */
function admitted(state: EcrState, request: IncomingMessage, response: ServerResponse): boolean {
  const [, encoded = ""] = /^Basic (.+)$/.exec(request.headers.authorization ?? "") ?? [];
  const [, password = ""] = /^AWS:(.+)$/.exec(Buffer.from(encoded, "base64").toString()) ?? [];
  const until = state.passwords.get(password);
  if (until === undefined) {
    const realm = `Basic realm="https://${state.account}.dkr.ecr.${state.region}.amazonaws.com/",service="ecr.amazonaws.com"`;
    response.writeHead(401, { "www-authenticate": realm, "content-type": "text/plain", connection: "close" });
    response.end("Not Authorized\n");
    return false;
  }
  if (until <= Date.now()) {
    refuse(response, 403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.");
    return false;
  }
  if (state.throttled > 0) {
    state.throttled -= 1;
    refuse(response, 429, "TOOMANYREQUESTS", "Rate exceeded");
    return false;
  }
  return true;
}

type Storage = { sign(path: string): string; stop(): Promise<void> };

async function toStorage({ behind, storage }: Place, path: string, response: ServerResponse): Promise<void> {
  const there = await askBehind(behind, { method: "HEAD", path });
  there.resume();
  if (there.statusCode !== 200) return refuse(response, 404, "BLOB_UNKNOWN", "blob unknown to registry");
  response.writeHead(307, { location: storage.sign(path), "content-length": "0" }).end();
}

/** A signed address is all that it takes; two ways to prove oneself are one too many for S3. */
async function startStorage(behind: Behind): Promise<Storage> {
  const secret = randomBytes(16).toString("hex");
  const server = await listen(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://storage");
    if (request.headers.authorization !== undefined)
      return void response.writeHead(400).end("<Code>InvalidArgument</Code>");
    if (searchParams.get("X-Amz-Signature") !== secret)
      return void response.writeHead(403).end("<Code>AccessDenied</Code>");
    const asked = { method: "GET", path: pathname, headers: request.headers };
    await handOn(await askBehind(behind, asked), response);
  });
  return { sign: (path) => `http://127.0.0.1:${server.port}${path}?X-Amz-Signature=${secret}`, stop: server.stop };
}

async function listen(serveOne: (...args: Parameters<RequestListener>) => Promise<void>) {
  const server = createServer((request, response) => {
    serveOne(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
