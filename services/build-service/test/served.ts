import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuildView } from "@slipway/contracts";
import { sharedFolder, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { pushBody, secret } from "./start-build-service.ts";

/** Build services in processes of their own, on one database and one data folder. */
export type ServedPlace = {
  readonly folder: string;
  readonly database: TestDatabase;
  start(): Promise<Served>;
  close(): Promise<void>;
};

export type Served = {
  log(id: string): Promise<string>;
  view(id: string): Promise<BuildView>;
  cancel(id: string): Promise<void>;
  /** Registers a service's repository and delivers a push of it: the build's id. */
  push(service: string, push: { readonly url: string; readonly sha: string }): Promise<string>;
  ended(id: string): Promise<BuildView>;
  /** kill -9. */
  kill(): Promise<void>;
};

export async function servedPlace(env: Record<string, string> = {}): Promise<ServedPlace> {
  const database = await testDatabase(["bus", "access", "build", "registry"]);
  const folder = await mkdtemp(join(tmpdir(), "slipway-crash-"));
  const running = new Set<ChildProcess>();
  return {
    ...{ folder, database },
    async start() {
      const schemas = ["build", "registry", "access", "bus"];
      const urls = Object.fromEntries(schemas.map((schema) => [`slipway_${schema}`, database.url(schema)]));
      const own = { urls, dataDir: join(folder, "data"), bases: sharedFolder("bases"), env };
      const program = new URL("./platform-process.ts", import.meta.url).pathname;
      const setup = JSON.stringify({ adminUrl: database.adminUrl, ...own });
      const child = spawn(process.execPath, ["--conditions=@slipway/source", program, setup], {
        stdio: ["ignore", "pipe", "inherit"],
        // Of what the process reads without asking its configuration.
        env: { ...process.env, ...env },
      });
      running.add(child);
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      const at = JSON.parse(line.toString("utf8")) as { url: string; tokens: Record<string, string> };
      return served(at, async () => {
        const gone = once(child, "exit");
        child.kill("SIGKILL");
        await gone;
        running.delete(child);
      });
    },
    async close() {
      for (const child of running) child.kill("SIGKILL");
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function served(at: { url: string; tokens: Record<string, string> }, kill: () => Promise<void>): Served {
  const json = { "content-type": "application/json" };
  const call = async (path: string, as: string, options: RequestInit = {}): Promise<Response> => {
    const headers = { authorization: `Bearer ${at.tokens[as]}`, ...options.headers };
    const answer = await fetch(`${at.url}${path}`, { ...options, headers, signal: AbortSignal.timeout(90_000) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  const view: Served["view"] = async (id) => (await (await call(`/api/v1/builds/${id}`, "viewer")).json()) as BuildView;
  return {
    ...{ kill, view },
    log: async (id) => (await call(`/api/v1/builds/${id}/logs`, "viewer")).text(),
    cancel: async (id) =>
      void (await call(`/api/v1/builds/${id}/cancel`, "deployer", { method: "POST", headers: json, body: "{}" })),
    async push(service, { url, sha }) {
      const repository = { method: "PUT", headers: json, body: JSON.stringify({ url, secret }) };
      await call(`/api/v1/repositories/${service}`, "admin", repository);
      const body = pushBody({ url, sha });
      const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
      const github = { "x-github-event": "push", "x-github-delivery": randomUUID(), "x-hub-signature-256": signature };
      const answer = await call("/webhooks/github", "viewer", {
        method: "POST",
        headers: { ...json, ...github },
        body,
      });
      return ((await answer.json()) as { build_id: string }).build_id;
    },
    ended: (id) =>
      until(
        async () => {
          const found = await view(id);
          return found.ended_at === null ? undefined : found;
        },
        { timeoutMs: 200_000, what: "the end of the build" },
      ),
  };
}
