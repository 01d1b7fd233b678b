import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { metricShapes } from "@slipway/metrics";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { objectsFolder } from "./adapters.ts";
import { addresses } from "./addresses.ts";
import { readConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import type { ServiceModule } from "./module.ts";
import { regionsFor } from "./regions.ts";

const module: ServiceModule = {
  name: "notification-service",
  schema: "notification",
  config: z.object({ SLIPWAY_SLACK_URL: z.url().optional() }),
  start: () => Promise.reject(new Error("not started here")),
};

function problems(environment: Record<string, string>): Record<string, string> {
  try {
    readConfig(environment, [module]);
  } catch (error) {
    if (error instanceof ConfigError) return Object.fromEntries(error.problems.map((p) => [p.variable, p.message]));
    throw error;
  }
  return {};
}

const folder = mkdtempSync(join(tmpdir(), "slipway-regions-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("nothing set is a laptop", () => {
  const config = readConfig({ PATH: "/bin", SLIPWAY_HOST: "" });

  expect(config).toMatchObject({ databaseUrl: "embedded:", busUrl: "postgres:", host: "127.0.0.1", port: undefined });
  expect(config.environments).toEqual([
    { name: "dev", production: false, minimumBakeMs: 0 },
    { name: "staging", production: false, minimumBakeMs: 0 },
    { name: "prod", production: true, minimumBakeMs: 0 },
  ]);
  expect(config.env).toEqual({});
});

test("production that no environment is, said or by default, is refused and not left out", () => {
  const production = (environment: Record<string, string>) => problems(environment).SLIPWAY_PRODUCTION;

  expect(production({ SLIPWAY_PRODUCTION: "prd" })).toBe("prd is not among SLIPWAY_ENVIRONMENTS (dev, staging, prod)");
  expect(production({ SLIPWAY_ENVIRONMENTS: "dev,live" })).toBe(
    "prod, which is production where nothing else is said, is not among SLIPWAY_ENVIRONMENTS (dev, live)",
  );
  expect(production({ SLIPWAY_PRODUCTION: "eu,us,prod", SLIPWAY_PORT: "eighty" })).toMatch(/^eu, us are not among/);
  expect(production({ SLIPWAY_PRODUCTION: "", SLIPWAY_ENVIRONMENTS: "dev" })).toMatch(/^prod, which/);
});

test("an environment that is named twice is refused by name", () => {
  const environments = (text: string) => problems({ SLIPWAY_ENVIRONMENTS: text });

  expect(environments("dev,dev,prod")).toEqual({ SLIPWAY_ENVIRONMENTS: "names dev more than once" });
  expect(environments("dev,prod,dev, prod,dev")).toEqual({ SLIPWAY_ENVIRONMENTS: "names dev, prod more than once" });
  expect(environments("dev,prod")).toEqual({});
});

test("no environment is production only where that is said", () => {
  const production = (environment: Record<string, string>) =>
    readConfig(environment).environments.flatMap(({ name, production }) => (production ? [name] : []));

  expect(production({ SLIPWAY_ENVIRONMENTS: "dev, live", SLIPWAY_PRODUCTION: "live" })).toEqual(["live"]);
  expect(production({ SLIPWAY_ENVIRONMENTS: "dev,test", SLIPWAY_PRODUCTION: "none" })).toEqual([]);
  expect(production({ SLIPWAY_ENVIRONMENTS: "dev,none", SLIPWAY_PRODUCTION: "none" })).toEqual(["none"]);
});

const redis = "redis://:word@redis:6379";
const apart = { SLIPWAY_DATABASE_URL: "postgres://db/slipway" };
test.each([
  ["in memory where one process has a database of its own", {}, "memory:", "SLIPWAY_CACHE_URL"],
  ["there, too, where its locks have a Redis", { SLIPWAY_LOCK_URL: redis }, "memory:", "SLIPWAY_CACHE_URL"],
  ["nowhere where others may work on the same database", apart, "none:", "SLIPWAY_CACHE_URL"],
  ["in the Redis of the locks, if there is one", { ...apart, SLIPWAY_LOCK_URL: redis }, redis, "SLIPWAY_LOCK_URL"],
  ["where it is said", { ...apart, SLIPWAY_LOCK_URL: redis, SLIPWAY_CACHE_URL: "none:" }, "none:", "SLIPWAY_CACHE_URL"],
])("what is shown is kept %s", (_, environment, url, urlIn) => {
  expect(readConfig(environment).cache).toEqual({ url, urlIn });
});

test("every problem is named at once with its variable, the modules' too", () => {
  const found = problems({
    SLIPWAY_PORT: "eighty",
    SLIPWAY_BUS_URL: "nats://broker",
    SLIPWAY_DATABASE_URL: "mysql://x",
    SLIPWAY_OBJECTS_URL: "s3://key:secret@bucket",
    SLIPWAY_LOCK_URL: "redis://",
    SLIPWAY_CACHE_URL: "memcached://cache",
    SLIPWAY_SLACK_URL: "nowhere",
    SLIPWAY_REGIONS: "/no/such/file.json",
  });

  expect(Object.keys(found).sort()).toEqual([
    "SLIPWAY_BUS_URL",
    "SLIPWAY_CACHE_URL",
    "SLIPWAY_DATABASE_URL",
    "SLIPWAY_LOCK_URL",
    "SLIPWAY_OBJECTS_URL",
    "SLIPWAY_PORT",
    "SLIPWAY_REGIONS",
    "SLIPWAY_SLACK_URL",
  ]);
  expect(found.SLIPWAY_BUS_URL).toBe("nats: is not available; there is: postgres:, kafka:, kafka+ssl:");
  expect(found.SLIPWAY_OBJECTS_URL).toMatch(/^credentials have no place in the URL/);
  expect(found.SLIPWAY_CACHE_URL).toBe("memcached: is not available; there is: memory:, none:, redis:, rediss:");
  expect(found.SLIPWAY_LOCK_URL).toMatch(/^it is redis:\/\//);
});

test("a platform with regions of its own bakes ten minutes in production unless told otherwise", () => {
  const file = join(folder, "regions.yaml");
  writeFileSync(
    file,
    "- { name: eu, kubeconfig: eu.kubeconfig, context: c, mesh_url: 'http://m', metrics_url: 'scrape:http://m' }\n",
  );
  const base = { SLIPWAY_DATABASE_URL: "postgres://h/db", SLIPWAY_REGIONS: file };
  const bake = (environment: Record<string, string>) =>
    readConfig(environment).environments.find(({ production }) => production)?.minimumBakeMs;

  expect(bake(base)).toBe(600_000);
  expect(bake({ ...base, SLIPWAY_MINIMUM_BAKE: "90s" })).toBe(90_000);
  expect(readConfig(base).regions).toEqual({
    kind: "file",
    entries: [
      {
        name: "eu",
        kubeconfig: join(file, "..", "eu.kubeconfig"),
        context: "c",
        mesh_url: "http://m",
        metrics_url: "scrape:http://m",
      },
    ],
  });
});

test("a region says where its Prometheus is and how the mesh's metrics are named there", () => {
  const file = join(folder, "shapes.json");
  const region = (name: string, shape: unknown) => ({
    ...{ name, kubeconfig: "k", context: "c", mesh_url: "http://m" },
    ...{ metrics_url: "prometheus:https://me:word@prom:9090", metrics_shape: shape },
  });
  const own = { ...metricShapes.istio, requests: "mesh_answers_total" };
  writeFileSync(file, JSON.stringify([region("a", "envoy"), region("b", own)]));

  const { regions } = readConfig({ SLIPWAY_REGIONS: file });

  expect(regions).toMatchObject({
    entries: [{ metrics_shape: metricShapes.envoy }, { metrics_shape: { requests: "mesh_answers_total" } }],
  });
  writeFileSync(file, JSON.stringify([{ ...region("a", "linkerd"), metrics_url: "prometheus:prom" }]));
  const message = problems({ SLIPWAY_REGIONS: file }).SLIPWAY_REGIONS;
  expect(message).toContain("0.metrics_url: after the scheme comes http://");
  expect(message).toContain("0.metrics_shape");
});

test("the rollback-controller may reach a region by a kubeconfig of its own", () => {
  const file = join(folder, "accounts.yaml");
  const entry = "kubeconfig: a.kubeconfig, context: c, mesh_url: 'http://m'";
  writeFileSync(
    file,
    `- { name: a, ${entry}, rollback_controller: { kubeconfig: lowers.kubeconfig } }\n- { name: b, ${entry} }\n`,
  );

  const { regions } = readConfig({ SLIPWAY_REGIONS: file });
  const entries = regions.kind === "file" ? regions.entries : [];

  const ways = (account: Parameters<typeof regionsFor>[0]) =>
    regionsFor(account, entries).map(({ kubeconfig, context }) => [kubeconfig, context]);
  expect(ways("rollback-controller")).toEqual([
    [join(folder, "lowers.kubeconfig"), "c"],
    [join(folder, "a.kubeconfig"), "c"],
  ]);
  expect(ways("orchestrator")).toEqual([
    [join(folder, "a.kubeconfig"), "c"],
    [join(folder, "a.kubeconfig"), "c"],
  ]);
  writeFileSync(file, `- { name: a, ${entry}, rollback_controller: lowers.kubeconfig }\n`);
  expect(problems({ SLIPWAY_REGIONS: file }).SLIPWAY_REGIONS).toContain("0.rollback_controller: ");
});

test("a region may name the revision of Istio that its namespaces are for", () => {
  const file = join(folder, "revisions.yaml");
  const entry = (revision: string) =>
    `- { name: a, kubeconfig: k, context: c, mesh_url: 'http://m', istio_revision: ${revision} }\n`;
  writeFileSync(file, entry("asm-1-27"));
  expect(readConfig({ SLIPWAY_REGIONS: file }).regions).toMatchObject({ entries: [{ istio_revision: "asm-1-27" }] });

  writeFileSync(file, entry("Istio 1"));
  expect(problems({ SLIPWAY_REGIONS: file }).SLIPWAY_REGIONS).toContain("0.istio_revision: is no revision of Istio");
});

test("a regions file that is no YAML is told by line, without what stands there", () => {
  const file = join(folder, "torn.yaml");
  writeFileSync(file, "- name: a\n  metrics_url: prometheus:http://me: hunter2@prom\n");

  const message = problems({ SLIPWAY_REGIONS: file }).SLIPWAY_REGIONS;
  expect(message).toMatch(/torn\.yaml: .* at line 2, column \d+$/);
  expect(message).not.toContain("hunter2");
});

test.each([
  ["SLIPWAY_DATABASE_URL", "postgres://me:hunter2@ho st:port/slipway", /it is postgres:\/\/user:password@host:port/],
  ["SLIPWAY_DATABASE_URL", "me:hunter2@host/slipway", /me: is not available; there is: embedded:/],
  ["SLIPWAY_BUS_URL", "kafka://me:hunter2", /"me" is no broker/],
  ["SLIPWAY_LOCK_URL", "redis://me:hunter2@:port", /it is redis:\/\/user:password@host:port/],
  ["SLIPWAY_CACHE_URL", "rediss://me:hunter2@:port", /it is redis:\/\/user:password@host:port/],
  ["SLIPWAY_OBJECTS_URL", "s3://me:hunter2@bucket?endpoint=nowhere", /./],
  ["SLIPWAY_EXECUTOR", "kubernetes://me:hunter2@host?image=x", /it is kubernetes:\/\/\/path\/to\/kubeconfig/],
])("a wrong %s is told without the password in it: %s", (variable, url, sentence) => {
  const found = problems({ [variable]: url });

  expect(Object.keys(found)).toEqual([variable]);
  expect(found[variable]).toMatch(sentence);
  expect(found[variable]).not.toContain("hunter2");
});

test.each([
  ["SLIPWAY_LOCK_URL", "redis://:Tr@ub4dor/3hunter2@host"],
  ["SLIPWAY_LOCK_URL", "rediss://me:12/hunter2@host:6379/0"],
  ["SLIPWAY_DATABASE_URL", "postgres://me:ub4dor#hunter2@host/slipway"],
  ["SLIPWAY_DATABASE_URL", "postgresql://me:12?hunter2@host/slipway"],
  ["SLIPWAY_BUS_URL", "kafka+ssl://me:ub4dor/hunter2@host:9093"],
  ["SLIPWAY_OBJECTS_URL", "s3://ub4dor:12/hunter2@bucket?endpoint=http://x"],
])("a piece of a password that is not percent-encoded is no host: %s=%s", (variable, url) => {
  const found = problems({ [variable]: url });

  expect(found).toEqual({ [variable]: expect.stringMatching(/percent-encode what is special|no place in the URL/) });
  expect(found[variable]).not.toMatch(/hunter2|ub4dor/);
});

test("neither is it in a region's metrics_url, and an @ that belongs to a path is left alone", () => {
  const file = join(folder, "prometheus.json");
  const region = { name: "eu", kubeconfig: "k", context: "c", mesh_url: "http://m" };
  writeFileSync(file, JSON.stringify([{ ...region, metrics_url: "prometheus:http://ub4dor:12/hunter2@prom:9090" }]));

  const message = problems({ SLIPWAY_REGIONS: file }).SLIPWAY_REGIONS;

  expect(message).toMatch(/0\.metrics_url: an @ stands behind the host: percent-encode/);
  expect(message).not.toMatch(/hunter2|ub4dor/);
  const image = `kubernetes:///etc/kubeconfig?image=registry.example/x@sha256:${"0".repeat(64)}`;
  expect(problems({ SLIPWAY_EXECUTOR: image, SLIPWAY_OBJECTS_URL: "file:///mnt/a@b" })).toEqual({});
});

test("a mesh's address is shown to everybody, and so has no password", () => {
  const file = join(folder, "mesh.yaml");
  writeFileSync(file, "- { name: a, kubeconfig: k, context: c, mesh_url: 'http://me:hunter2@m' }\n");

  const message = problems({ SLIPWAY_REGIONS: file }).SLIPWAY_REGIONS;
  expect(message).toMatch(/0\.mesh_url: everybody is shown it: leave user and password out$/);
});

test("a regions file's errors are named by their place", () => {
  const file = join(folder, "regions.json");
  writeFileSync(
    file,
    JSON.stringify([{ name: "EU", kubeconfig: "k", context: "c", mesh_url: "m", metrics_url: "datadog:" }]),
  );

  const message = problems({ SLIPWAY_REGIONS: file }).SLIPWAY_REGIONS;
  expect(message).toContain("0.name");
  expect(message).toContain("0.mesh_url");
  expect(message).toContain("datadog: is not available; there is: scrape:");
});

test("objects lie in the data folder unless a whole path is given", () => {
  expect(objectsFolder("file:", "/data")).toBe("/data/objects");
  expect(objectsFolder("file:blobs", "/data")).toBe("/data/blobs");
  expect(objectsFolder("file:///mnt/blobs", "/data")).toBe("/mnt/blobs");
  expect(objectsFolder("file:/mnt/blobs", "/data")).toBe("/mnt/blobs");
});

test("a service is found by its own variable, then here, then at the platform's address", () => {
  const config = readConfig({
    SLIPWAY_URL: "https://slipway.corp/",
    SLIPWAY_ROLLBACK_CONTROLLER_URL: "http://10.0.0.2:7401/",
  });
  const where = addresses(config, new Set(["build-service"]), () => "http://127.0.0.1:7405");

  expect(where.of("rollback-controller")).toBe("http://10.0.0.2:7401");
  expect(where.of("build-service")).toBe("http://127.0.0.1:7405");
  expect(where.of("artifact-registry")).toBe("https://slipway.corp");
  expect(where.public).toBe("https://slipway.corp");
});
