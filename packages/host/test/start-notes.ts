import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { type RunningHost, readConfig, runHost } from "../src/index.ts";
import { type Notes, notesModule } from "./example-module.ts";

export type Example = {
  readonly host: RunningHost;
  readonly notes: Notes;
  readonly dataDir: string;
  readonly database: TestDatabase;
  /** As the token's owner; JSON where a body is given. */
  fetch(path: string, options?: FetchOptions): Promise<Response>;
  close(): Promise<void>;
};

export type FetchOptions = {
  readonly method?: string;
  readonly as?: string | null;
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** The example module on a database of its own, listening on a free port. */
export async function startNotes(): Promise<Example> {
  const database = await testDatabase(["bus", "access", "notification"]);
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-host-"));
  const notes = notesModule();
  const host = await runHost({
    modules: [notes.module],
    config: readConfig({ SLIPWAY_DATA: dataDir, SLIPWAY_PORT: "0" }, [notes.module]),
    database: { adminUrl: database.adminUrl, roleUrl: (role) => database.url(role.replace("slipway_", "")) },
    log: silentLogger,
    signals: false,
  });
  return {
    host,
    notes,
    dataDir,
    database,
    fetch: (path, options = {}) => send(host, path, options),
    async close() {
      await host.stop();
      await database.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

function send(host: RunningHost, path: string, options: FetchOptions): Promise<Response> {
  const { method = "GET", as = "deployer", body, text, headers = {} } = options;
  const json = body === undefined ? text : JSON.stringify(body);
  return fetch(`${host.url}${path}`, {
    method,
    signal: AbortSignal.timeout(90_000),
    headers: {
      ...(as === null ? {} : { authorization: `Bearer ${host.tokens.get(as) ?? as}` }),
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: json }),
  });
}

export async function problem(response: Response): Promise<Record<string, unknown>> {
  if (!response.headers.get("content-type")?.startsWith("application/problem+json")) {
    throw new Error(`${response.status} is no problem: ${await response.text()}`);
  }
  return (await response.json()) as Record<string, unknown>;
}
