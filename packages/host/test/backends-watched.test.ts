import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "@slipway/sql";
import { type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { checkBackends, type RunningHost, readConfig, runHost, type ServiceContext } from "../src/index.ts";
import { serviceTrouble } from "../src/service-trouble.ts";
import { watchBackends } from "../src/watch-backends.ts";
import { type Notes, notesModule } from "./example-module.ts";

/** Stands in every place in which a password or token can stand. */
const planted = "hunter2-of-the-test";

let folder: string;
let database: TestDatabase;
let notes: Notes;
let host: RunningHost;
/** Answers everything as if what came with it were wrong, and quotes it. */
const refusing = createServer((request, response) => {
  response.writeHead(401, { "content-type": "application/json" }).end(JSON.stringify(request.headers));
});
const lines: string[] = [];
const environment = () => ({
  SLIPWAY_DATA: folder,
  SLIPWAY_PORT: "0",
  SLIPWAY_LOG_LEVEL: "debug",
  SLIPWAY_BUS_URL: `kafka://me:${planted}@127.0.0.1:1`,
  SLIPWAY_LOCK_URL: `redis://me:${planted}@127.0.0.1:1`,
  SLIPWAY_CACHE_URL: `redis://me:${planted}@127.0.0.1:2`,
  SLIPWAY_OBJECTS_URL: `s3://slipway?endpoint=http://127.0.0.1:${portOf()}&region=us-east-1`,
  SLIPWAY_EXECUTOR: `kubernetes://${folder}/builds.kubeconfig?image=registry.example/slipway-services:0.1.0`,
  SLIPWAY_REGIONS: join(folder, "regions.yaml"),
});
const portOf = () => (refusing.address() as AddressInfo).port;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-backends-"));
  await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
  const kubeconfig = JSON.stringify({
    clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${portOf()}`, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token: planted } }],
    contexts: [{ name: "eu", context: { cluster: "c", user: "u" } }],
    "current-context": "eu",
  });
  await writeFile(join(folder, "eu.kubeconfig"), kubeconfig);
  await writeFile(join(folder, "builds.kubeconfig"), kubeconfig);
  await writeFile(join(folder, "lowers.kubeconfig"), `${kubeconfig}\ntoken: "${planted}: [`);
  await writeFile(
    join(folder, "regions.yaml"),
    `- { name: eu, kubeconfig: eu.kubeconfig, context: eu, mesh_url: 'http://m', metrics_url: 'prometheus:http://me:${planted}@127.0.0.1:${portOf()}', rollback_controller: { kubeconfig: lowers.kubeconfig } }\n`,
  );
  database = await testDatabase(["bus", "access", "notification"]);
  notes = notesModule();
  const { start } = notes.module;
  const module = {
    ...notes.module,
    start: async (context: ServiceContext) => ({
      ...(await start(context)),
      trouble: async () => ["its own trouble: mend it"],
    }),
    worksWith: ["locks", "cache", "regions", "executor"],
    regionAccount: "rollback-controller",
  } as const;
  host = await runHost({
    modules: [module],
    config: readConfig(environment(), [module]),
    database: databaseHere(),
    log: writingTo(lines),
    signals: false,
    watchBackends: true,
  });
});
afterAll(async () => {
  await host?.stop();
  await database?.close();
  refusing.closeAllConnections();
  refusing.close();
  await rm(folder, { recursive: true });
});

const databaseHere = () => ({
  adminUrl: database.adminUrl,
  roleUrl: (role: string) => database.url(role.replace("slipway_", "")),
});

/** Everything that a log is told, errors with all that hangs on them. */
function writingTo(into: string[]): Logger {
  const write = (fields: object, message?: string) => void into.push(`${message} ${deep(fields)}`);
  return { debug: write, info: write, warn: write, error: write };
}

function deep(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (seen.has(value)) return "";
  seen.add(value);
  return Reflect.ownKeys(value)
    .map((key) => `${String(key)}=${deep(Reflect.get(value, key), seen)}`)
    .join(" ");
}

const said = [
  /^nothing listens at 127\.0\.0\.1:1: start Redis, or correct host and port in SLIPWAY_LOCK_URL$/,
  /^nothing listens at 127\.0\.0\.1:2: start Redis, or correct host and port in SLIPWAY_CACHE_URL$/,
  /^region eu: .*lowers\.kubeconfig cannot be read .*: correct that file$/,
  /^region eu: Prometheus at 127\.0\.0\.1:\d+ refuses user and password \(401\): correct them in metrics_url/,
  /^the cluster of SLIPWAY_EXECUTOR: its API refuses the credentials: put a valid token into .*builds\.kubeconfig/,
];
/** A service knows some of it alone. */
const own = /^its own trouble: mend it$/;

test("a service's own readiness says of each backend what is wrong and what to do", async () => {
  const warnings = async () => {
    const { services } = (await (await fetch(`${host.url}/readyz`)).json()) as { services: { warnings?: string[] }[] };
    const found = services[0]?.warnings ?? [];
    return found.some((warning) => own.test(warning)) ? found : undefined;
  };
  const found = await until(warnings, { what: "what was found" });

  expect(found).toEqual([...said, own].map((sentence) => expect.stringMatching(sentence)));
});

test("a region that does not let the service in is told to whoever scrapes", async () => {
  const page = await (await fetch(`${host.url}/metrics`)).text();

  expect(page).toContain('slipway_region_reached{service="notification-service",region="eu"} 0');
});

test("the service is led to its regions by the kubeconfig of its own account", () => {
  expect(notes.context?.regions).toMatchObject([{ kubeconfig: join(folder, "lowers.kubeconfig"), context: "eu" }]);
});

test("the doctor finds the same, each by its name", async () => {
  const url = `postgres://me:${planted}@127.0.0.1:1/slipway`;
  vi.stubEnv("AWS_ACCESS_KEY_ID", "me");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", planted);
  const checks = await checkBackends({ ...environment(), SLIPWAY_DATABASE_URL: url });
  vi.unstubAllEnvs();

  const [redis, cache, lowers, metrics, executor] = said.map((sentence) => expect.stringMatching(sentence));
  expect(checks).toEqual([
    {
      name: "database",
      problems: [expect.stringMatching(/nothing listens at 127.0.0.1:1: start Postgres, or correct/)],
    },
    { name: "bus", problems: [expect.stringMatching(/Kafka does not answer at .*: start it, or correct/)] },
    { name: "locks", problems: [redis] },
    { name: "cache", problems: [cache] },
    { name: "objects", problems: [expect.stringMatching(/refuses the credentials: correct AWS_ACCESS_KEY_ID/)] },
    { name: "executor", problems: [executor] },
    {
      name: "regions",
      problems: [expect.stringMatching(/its API refuses the credentials: .*create token orchestrator/), metrics],
    },
    { name: "regions, as the rollback-controller", problems: [lowers] },
  ]);
  expect(JSON.stringify(checks)).not.toContain(planted);
});

test("no password or token stands in a log, in readiness or in metrics", async () => {
  const pages = await Promise.all(
    ["/readyz", "/metrics"].map((path) => fetch(host.url + path).then((page) => page.text())),
  );

  expect(lines.join("\n")).toMatch(/not all is well/);
  for (const text of [...lines, ...pages]) expect(text).not.toContain(planted);
});

test("a process warns of services that it calls and cannot reach, and of names that are misspelt", async () => {
  const config = readConfig({
    ...{ SLIPWAY_DATA: folder, SLIPWAY_DATABSE_URL: planted, SLIPWAY_BUILD_SERVICE_URL: "http://127.0.0.1:9" },
    SLIPWAY_ROLLBACK_CONTROLLER_URL: `http://127.0.0.1:${portOf()}`,
    SLIPWAY_ARTIFACT_REGISTRY_URL: "http://127.0.0.1:9",
  });
  const module = { ...notes.module, name: "deployment-orchestrator" };
  const world = { ...{ config, database: databaseHere(), regions: [], tokens: host.tokens, log: writingTo([]) } };

  const watch = watchBackends([module], world, { everyMs: 5, againMs: 5 });
  const found = await until(() => watch.warnings(module.name).length > 0 && watch.warnings(module.name), {
    what: "what was found",
  });
  watch.stop();

  expect(found).toEqual([
    "the port of 127.0.0.1:9 is one that no HTTP client asks: see that the artifact-registry runs, or correct SLIPWAY_ARTIFACT_REGISTRY_URL",
    `what answers at 127.0.0.1:${portOf()} is no service of Slipway (401): see that the rollback-controller runs, or correct SLIPWAY_ROLLBACK_CONTROLLER_URL`,
    "SLIPWAY_DATABSE_URL is read by nobody: say SLIPWAY_DATABASE_URL if that is what was meant, or take it away",
  ]);
});

test("a Redis that is wrong is told once where locks and views are both in it, by the variable that names it", async () => {
  const config = readConfig({
    ...{ SLIPWAY_DATA: folder, SLIPWAY_DATABASE_URL: "postgres://127.0.0.1:1/x" },
    SLIPWAY_LOCK_URL: `redis://me:${planted}@127.0.0.1:1`,
  });
  const module = { ...notes.module, worksWith: ["locks", "cache"] } as const;
  const world = { ...{ config, database: databaseHere(), regions: [], tokens: host.tokens, log: writingTo([]) } };

  const watch = watchBackends([module], world, { everyMs: 5, againMs: 5 });
  const ofRedis = () => watch.warnings(module.name).filter((warning) => warning.includes("Redis"));
  const found = await until(() => ofRedis().length > 0 && ofRedis(), { what: "what was found" });
  watch.stop();

  expect(found).toEqual([expect.stringMatching(/127\.0\.0\.1:1: .*SLIPWAY_LOCK_URL$/)]);
});

test("a service of Slipway's is known by what it answers to somebody without a token", async () => {
  const env = { SLIPWAY_ROLLBACK_CONTROLLER_URL: `${host.url}/` };

  expect(await serviceTrouble({ env }, ["rollback-controller", "artifact-registry"])).toEqual([]);
});

test("a database that is well is looked at over the service's own connections, and one that is not is named", async () => {
  const { db, log } = notes.context!;
  const own = databaseHere();
  let opened = 0;
  const counting = {
    ...own,
    adminUrl() {
      opened += 1;
      return own.adminUrl;
    },
  };
  const config = readConfig({ SLIPWAY_DATA: folder });
  const { module } = notes;
  const world = { ...{ config, database: counting, regions: [], tokens: host.tokens, log } };
  const watch = watchBackends([module], world, { everyMs: 5, againMs: 5 });
  await until(() => opened > 0, { what: "a look before the service has started" });

  let asked = 0;
  watch.started({
    name: module.name,
    running: {},
    db: db.withPlugin({
      transformQuery: ({ node }) => {
        asked += 1;
        return node;
      },
      transformResult: async ({ result }) => result,
    }),
  });
  await until(() => asked > 3, { what: "looks at a service that has started" });
  const before = opened;
  await until(() => asked > 20, { what: "more of them" });
  expect(opened).toBe(before);
  expect(watch.warnings(module.name)).toEqual([]);
  watch.stop();
});

test.each([
  ["deployment-orchestrator", /create token orchestrator -n/],
  ["rollback-controller", /create token rollback-controller -n/],
  ["notification-service", /create token orchestrator -n/],
] as const)(
  "in a pod of the %s the doctor knows by its token whose account the kubeconfigs are to be",
  async (service, says) => {
    const SLIPWAY_DATA = join(folder, service);
    await mkdir(join(SLIPWAY_DATA, "tokens"), { recursive: true });
    await writeFile(join(SLIPWAY_DATA, "tokens", service), planted);
    const SLIPWAY_REGIONS = join(folder, `${service}.yaml`);
    await writeFile(SLIPWAY_REGIONS, "- { name: eu, kubeconfig: eu.kubeconfig, context: eu, mesh_url: 'http://m' }\n");

    const checks = await checkBackends({ SLIPWAY_DATA, SLIPWAY_REGIONS });

    const regions = checks.filter(({ name }) => name.startsWith("regions"));
    expect(regions.map(({ name }) => name)).toEqual(["regions"]);
    expect(regions[0]?.problems[0]).toMatch(says);
  },
);
