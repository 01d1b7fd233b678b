import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { type ArtifactView, listArtifacts, SlipwayFile } from "@slipway/contracts";
import { type RegionEntry, type RunningHost, readConfig, runHost, type ServiceModule } from "@slipway/host";
import { startApiServer } from "@slipway/local-region";
import { silentLogger } from "@slipway/sql";
import { deliveredTwice, type TestDatabase, testDatabase } from "@slipway/testkit";
import { z } from "zod";
import { deploymentOrchestrator } from "../../src/index.ts";

/** The orchestrator behind its HTTP API, an artifact that asks for secrets, and one region without a node. */
export type OrchestratorHost = {
  readonly host: RunningHost;
  readonly database: TestDatabase;
  readonly logged: readonly string[];
  fetch(path: string, options?: { method?: string; as?: string; body?: unknown }): Promise<Response>;
  /** GET of the region's Kubernetes API, or POST of an object. */
  kube(path: string, object?: object): Promise<{ status: number; body: Record<string, unknown> }>;
  close(): Promise<void>;
};

export const gitSha = "3f2a91c".padEnd(40, "0");

export async function startHost(): Promise<OrchestratorHost> {
  const database = await testDatabase(["bus", "access", "deployment", "registry"]);
  const folder = await mkdtemp(join(tmpdir(), "slipway-orchestrator-"));
  const region = await startApiServer({ name: "here", dir: join(folder, "region"), port: 0, log: silentLogger });
  const entry = { name: "here", kubeconfig: region.kubeconfigPath, context: "here", mesh_url: "http://127.0.0.1:1" };
  const logged: string[] = [];
  const keep = (details: object, message: string) =>
    void logged.push(
      `${message} ${JSON.stringify(details, (_, value) => (value instanceof Error ? String(value.stack) : value))}`,
    );
  const host = await runHost({
    modules: [artifactsModule(), deliveredTwice(deploymentOrchestrator)],
    config: readConfig({ SLIPWAY_DATA: join(folder, "data"), SLIPWAY_PORT: "0" }),
    database: { adminUrl: database.adminUrl, roleUrl: (role) => database.url(role.replace("slipway_", "")) },
    regions: [{ ...entry, metrics_url: undefined } as unknown as RegionEntry],
    log: { debug: keep, info: keep, warn: keep, error: keep },
    signals: false,
  });
  return {
    ...{ host, database, logged },
    fetch: (path, { method = "GET", as = "viewer", body } = {}) =>
      fetch(`${host.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${host.tokens.get(as)}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(60_000),
      }),
    kube: (path, object) =>
      new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${region.adminToken}`, "content-type": "application/json" };
        const method = object === undefined ? "GET" : "POST";
        request(new URL(path, region.url), { method, ca: region.caPem, headers }, (answer) => {
          json(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body: body as never }), reject);
        })
          .on("error", reject)
          .end(object === undefined ? undefined : JSON.stringify(object));
      }),
    async close() {
      await host.stop();
      await region.stop();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** One artifact of `orders`, promoted everywhere, whose pods ask for DB_URL in staging and prod. */
function artifactsModule(): ServiceModule {
  const spec = SlipwayFile.parse({
    version: 1,
    service: "orders",
    pipeline: {},
    image: { copy: ["dist"], command: ["node", "dist/server.js"] },
    environments: { staging: { secrets: ["DB_URL"] }, prod: { secrets: ["DB_URL"] } },
  });
  const digest = `sha256:${"ab".repeat(32)}`;
  const at = "2026-05-01T10:00:00.000Z";
  const artifact = {
    ...{ digest, service: "orders", git_sha: gitSha, image: `127.0.0.1:7400/orders@${digest}`, spec },
    provenance: {
      ...{ builder: "test", build_id: null, repository: null, isolation: "bubblewrap", limits: "rlimits" },
      ...{ started_at: at, finished_at: at },
    },
    environments: ["dev", "staging", "prod"].map((environment) => ({ environment, at, by: "ada" })),
    bad_in: [],
    created_at: at,
  } as unknown as ArtifactView;
  return {
    name: "artifact-registry",
    schema: "registry",
    config: z.unknown(),
    start: async () => ({
      routes: (app) =>
        app.serve(listArtifacts, async ({ query }) => ({
          artifacts: (query.service ?? artifact.service) === artifact.service ? [artifact] : [],
          next_page_token: null,
        })),
      ready: async () => undefined,
      close: async () => undefined,
    }),
  };
}
