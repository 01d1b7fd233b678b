import { createHmac, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuildView } from "@slipway/contracts";
import { type RunningHost, readConfig, runHost } from "@slipway/host";
import { silentLogger } from "@slipway/sql";
import { sharedFolder, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { buildService } from "../src/index.ts";
import { type StubRegistry, stubRegistry } from "./stub-registry.ts";

export const secret = "a webhook secret of some length";

export type Platform = {
  readonly host: RunningHost;
  readonly registry: StubRegistry;
  readonly database: TestDatabase;
  readonly folder: string;
  fetch(
    path: string,
    options?: { method?: string; as?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Response>;
  register(service: string, url: string): Promise<void>;
  /** Delivers a signed push as GitHub does. */
  push(push: Push): Promise<Response>;
  buildOf(response: Response): Promise<string>;
  view(id: string): Promise<BuildView>;
  ended(id: string): Promise<BuildView>;
  log(id: string): Promise<string>;
  close(): Promise<void>;
};

export type Push = {
  readonly url: string;
  readonly sha: string;
  readonly ref?: string;
  readonly event?: string;
  readonly delivery?: string;
  readonly signature?: string | null;
  readonly body?: string;
  /** Of the body. Default: JSON. */
  readonly type?: string;
  readonly more?: Record<string, unknown>;
};

/** The build service and a registry in memory on a database of their own. */
export async function startBuildService(env: Record<string, string> = {}): Promise<Platform> {
  const database = await testDatabase(["bus", "access", "build", "registry"]);
  const folder = await mkdtemp(join(tmpdir(), "slipway-build-"));
  const registry = stubRegistry();
  const config = readConfig({
    SLIPWAY_DATA: join(folder, "data"),
    SLIPWAY_BASES: sharedFolder("bases"),
    SLIPWAY_PORT: "0",
    SLIPWAY_GIT_ALLOW_FILE: "true",
    // To prove one recipe where another one would be chosen.
    SLIPWAY_ISOLATION: process.env.TEST_ISOLATION ?? "auto",
    ...env,
  });
  const host = await runHost({
    modules: [registry.module, buildService],
    config,
    database: { adminUrl: database.adminUrl, roleUrl: (role) => database.url(role.replace("slipway_", "")) },
    log: silentLogger,
    signals: false,
  });
  const send: Platform["fetch"] = (path, { method = "GET", as = "viewer", body, headers = {} } = {}) =>
    fetch(`${host.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${host.tokens.get(as)}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
  const view = async (id: string): Promise<BuildView> =>
    (await send(`/api/v1/builds/${id}`)).json() as Promise<BuildView>;
  return {
    host,
    registry,
    database,
    folder,
    fetch: send,
    async register(service, url) {
      const answer = await send(`/api/v1/repositories/${service}`, {
        method: "PUT",
        as: "admin",
        body: { url, secret },
      });
      if (answer.status !== 200) throw new Error(await answer.text());
    },
    push: (push) => deliver(host, push),
    async buildOf(response) {
      const { build_id } = (await response.json()) as { build_id: string };
      return build_id;
    },
    view,
    ended: (id) =>
      until(
        async () => {
          const found = await view(id);
          return found.ended_at === null ? undefined : found;
        },
        { timeoutMs: 240_000, what: `the end of ${id}` },
      ),
    log: async (id) => (await send(`/api/v1/builds/${id}/logs`)).text(),
    async close() {
      await host.stop();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function pushBody({ url, sha, ref = "refs/heads/main", more = {} }: Push): string {
  return JSON.stringify({
    ref,
    after: sha,
    deleted: false,
    head_commit: { id: sha, timestamp: "2026-11-20T10:00:00Z", author: { name: "Ada" } },
    repository: { full_name: "acme/orders", clone_url: url },
    ...more,
  });
}

function deliver(host: RunningHost, push: Push): Promise<Response> {
  const body = push.body ?? pushBody(push);
  const signature = push.signature ?? `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
  return fetch(`${host.url}/webhooks/github`, {
    method: "POST",
    headers: {
      "content-type": push.type ?? "application/json",
      "x-github-event": push.event ?? "push",
      "x-github-delivery": push.delivery ?? randomUUID(),
      ...(push.signature === null ? {} : { "x-hub-signature-256": signature }),
    },
    body,
    signal: AbortSignal.timeout(90_000),
  });
}
