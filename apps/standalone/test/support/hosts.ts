import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { artifactRegistry } from "@slipway/artifact-registry";
import { buildService } from "@slipway/build-service";
import { registerArtifact } from "@slipway/contracts";
import { deploymentOrchestrator } from "@slipway/deployment-orchestrator";
import { type RegionEntry, type RunningHost, readConfig, runHost } from "@slipway/host";
import type { RegionName } from "@slipway/kernel";
import { metricsAggregator } from "@slipway/metrics-aggregator";
import { notificationService } from "@slipway/notification-service";
import { rollbackController } from "@slipway/rollback-controller";
import { silentLogger, startEmbeddedPostgres } from "@slipway/sql";
import { basesFolder } from "../../src/bases-folder.ts";
import { gitRoutes } from "../../src/git/git-server.ts";
import { livePage } from "../../src/page.ts";
import { watchProxyRoutes } from "../../src/watch-proxy.ts";

const modules = [artifactRegistry, buildService, deploymentOrchestrator, notificationService, metricsAggregator];

/** Everything that a platform answers, in this process: its listener and the rollback-controller's. Regions are named and not there. */
export type Hosts = {
  readonly platform: RunningHost;
  readonly controller: RunningHost;
  readonly dataDir: string;
  /** As the token's owner, or with a token as it is given; null = without one. */
  send(path: string, options?: Sending): Promise<Response>;
  close(): Promise<void>;
};

export type Sending = {
  readonly method?: string;
  readonly as?: string | null;
  readonly body?: unknown;
  /** Instead of `body`, as it is. */
  readonly text?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly to?: "platform" | "controller";
};

export async function startHosts(): Promise<Hosts> {
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-hosts-"));
  await chmod(dataDir, 0o755);
  await mkdir(join(dataDir, "page", "assets"), { recursive: true });
  await writeFile(join(dataDir, "page", "index.html"), "<!doctype html>");
  await writeFile(join(dataDir, "page", "assets", "index.js"), "");
  const postgres = await startEmbeddedPostgres({ dataDir, durability: "test", log: silentLogger });
  const common = { database: postgres, regions: await awayRegions(dataDir), log: silentLogger, signals: false };
  const env = {
    SLIPWAY_DATA: dataDir,
    SLIPWAY_BASES: basesFolder(dataDir),
    SLIPWAY_PORT: "0",
    SLIPWAY_NO_ISOLATION: "true",
    SLIPWAY_GIT_ALLOW_FILE: "true",
  };
  const controller = await runHost({
    ...common,
    modules: [rollbackController],
    config: readConfig({ ...env, SLIPWAY_URL: "http://127.0.0.1:1" }, [rollbackController]),
  });
  const platform = await runHost({
    ...common,
    modules,
    config: readConfig({ ...env, SLIPWAY_ROLLBACK_CONTROLLER_URL: controller.url }, modules),
    routes: (app) => {
      gitRoutes(app, join(dataDir, "git"), async () => "nothing is pushed here");
      watchProxyRoutes(app, controller.url);
      livePage(dataDir, join(dataDir, "program.mjs")).routes(app);
    },
  });
  return {
    platform,
    controller,
    dataDir,
    send: (path, options = {}) => send(options.to === "controller" ? controller : platform, path, options),
    async close() {
      await platform.stop();
      await controller.stop();
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function send(host: RunningHost, path: string, options: Sending): Promise<Response> {
  const { method = "GET", as = "admin", body, headers = {} } = options;
  const text = options.text ?? (body === undefined ? undefined : JSON.stringify(body));
  return fetch(`${host.url}${path}`, {
    method,
    signal: AbortSignal.timeout(60_000),
    headers: {
      ...(as === null ? {} : { authorization: `Bearer ${host.tokens.get(as) ?? as}` }),
      ...(text === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(text === undefined ? {} : { body: text }),
  });
}

/** Two regions whose API nobody answers. */
async function awayRegions(dataDir: string): Promise<readonly RegionEntry[]> {
  await mkdir(join(dataDir, "away"));
  const kubeconfig = join(dataDir, "away", "kubeconfig");
  const cluster = { name: "away", cluster: { server: "https://127.0.0.1:1" } };
  const context = { name: "away", context: { cluster: "away", user: "away" } };
  const users = [{ name: "away", user: { token: "none" } }];
  const config = { apiVersion: "v1", kind: "Config", clusters: [cluster], contexts: [context], users };
  await writeFile(kubeconfig, JSON.stringify({ ...config, "current-context": "away" }));
  return ["us-east-1", "eu-west-1"].map((name) => ({
    name: name as RegionName,
    kubeconfig,
    context: "away",
    mesh_url: "http://127.0.0.1:1",
    metrics_url: "scrape:http://127.0.0.1:1/metrics",
  }));
}

/** An image of one small layer, pushed and registered: allowed in dev, promoted to nothing. */
export async function registered(hosts: Hosts, service: string, gitSha: string): Promise<string> {
  const push = async (path: string, method: string, body: Uint8Array<ArrayBuffer> | string, type: string) => {
    const answer = await hosts.send(path, {
      method,
      as: "build-service",
      text: body,
      headers: { "content-type": type },
    });
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  };
  const blob = async (text: string) => {
    const digest = digestOf(text);
    await push(`/v2/${service}/blobs/uploads/?digest=${digest}`, "POST", text, "application/octet-stream");
    return { digest, size: Buffer.byteLength(text) };
  };
  const config = await blob(
    JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } }),
  );
  const layer = await blob("a layer");
  const type = "application/vnd.oci.image.manifest.v1+json";
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: type,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer }],
  });
  await push(`/v2/${service}/manifests/${gitSha}`, "PUT", manifest, type);
  const digest = digestOf(manifest);
  const answer = await hosts.send(registerArtifact.path, {
    method: "POST",
    as: "build-service",
    body: { service, git_sha: gitSha, digest, spec: specOf(service), provenance },
  });
  if (answer.status !== 201) throw new Error(await answer.text());
  return digest;
}

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

const at = "2026-11-23T10:00:00.000Z";
const provenance = {
  builder: "test",
  build_id: null,
  repository: null,
  isolation: "namespaces",
  limits: "rlimits",
  started_at: at,
  finished_at: at,
};

function specOf(service: string) {
  const image = { copy: ["dist"], command: ["node", "dist/server.js"] };
  return { version: 1, service, pipeline: { unit: { run: "node --test" } }, image };
}
