import { spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServiceApp } from "@slipway/host";
import { gitOperations } from "./operations.ts";
import type { Registrar } from "./own-repository.ts";
import { repositoryAt } from "./repository-name.ts";

/**
 * `~/git/<service>.git`: the local repositories over git's smart HTTP, served by git's own backend. Reading takes any token, pushing a deployer's;
 * both as the password of Basic authentication. Before a push, `register` may make what it pushes to.
 */
export function gitRoutes(app: ServiceApp, folder: string, register: Registrar): void {
  app.describe(...gitOperations);
  app.raw.addContentTypeParser(/^application\/x-git-/, (_request, _payload, done) => done(null));
  app.raw.route({
    method: ["GET", "POST"],
    url: "/git/*",
    bodyLimit: Number.MAX_SAFE_INTEGER,
    handler: async (request, reply) => {
      const url = new URL(request.raw.url ?? "/", "http://127.0.0.1");
      const repository = repositoryAt(url.pathname);
      const writes =
        url.pathname.endsWith("/git-receive-pack") || url.searchParams.get("service") === "git-receive-pack";
      const roles = writes
        ? (["deployer", "admin"] as const)
        : (["viewer", "deployer", "approver", "admin", "service"] as const);
      const principal = await app.authorize(request, roles, { challenge: "basic" });
      const unknown = "refusal" in repository;
      const refusal = unknown ? repository.refusal : writes && (await register(repository.service, principal.name));
      reply.hijack();
      if (typeof refusal === "string") {
        // Git shows its user a text that comes as text/plain.
        reply.raw.writeHead(unknown ? 404 : 409, { "content-type": "text/plain; charset=utf-8" });
        reply.raw.end(`${refusal}\n`);
        return;
      }
      await backend(request.raw, reply.raw, {
        folder,
        path: url.pathname.slice("/git".length),
        query: url.search.slice(1),
        user: principal.name,
      });
    },
  });
}

type Cgi = { readonly folder: string; readonly path: string; readonly query: string; readonly user: string };

/** Speaks CGI to `git http-backend`: headers up to an empty line, then the body. */
function backend(request: IncomingMessage, response: ServerResponse, cgi: Cgi): Promise<void> {
  const child = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env.PATH ?? "/usr/bin:/bin",
      HOME: cgi.folder,
      GIT_PROJECT_ROOT: cgi.folder,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_NOSYSTEM: "1",
      PATH_INFO: cgi.path,
      QUERY_STRING: cgi.query,
      REQUEST_METHOD: request.method ?? "GET",
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: String(request.headers["content-encoding"] ?? ""),
      HTTP_GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      REMOTE_USER: cgi.user,
      REMOTE_ADDR: "127.0.0.1",
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  request.pipe(child.stdin);
  child.stdin.on("error", () => request.unpipe());
  response.on("close", () => child.kill());
  return new Promise((resolve) => {
    answer(child.stdout, response);
    child.on("error", () => response.writeHead(500).end("git http-backend could not be started\n"));
    child.on("close", () => {
      response.end();
      resolve();
    });
  });
}

function answer(stdout: NodeJS.ReadableStream, response: ServerResponse): void {
  let head = Buffer.alloc(0);
  let started = false;
  stdout.on("data", (chunk: Buffer) => {
    if (started) {
      response.write(chunk);
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    started = true;
    const headers = head
      .subarray(0, end)
      .toString("latin1")
      .split("\r\n")
      .map((line): [string, string] => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      });
    const status = Number(headers.find(([name]) => name === "status")?.[1].slice(0, 3) ?? 200);
    response.writeHead(status, Object.fromEntries(headers.filter(([name]) => name !== "status")));
    response.write(head.subarray(end + 4));
  });
}
