import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { foreignRegistries, readRegistriesFile } from "@slipway/oci";
import { afterEach, beforeEach, expect, test } from "vitest";
import { backendChecks, namesBackends, variableChecks } from "../src/doctor/backend-checks.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-doctor-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("each backend that the environment names is looked at, and none that it leaves to the platform itself", async () => {
  expect(namesBackends({ SLIPWAY_PORT: "7400" })).toBe(false);
  expect(namesBackends({ SLIPWAY_BUS_URL_FILE: "/run/secrets/bus" })).toBe(true);
  expect(namesBackends({ SLIPWAY_ENVIRONMENTS: "dev,live" })).toBe(true);
  const own = { SLIPWAY_DATABASE_URL: "embedded:", SLIPWAY_BUS_URL: "postgres:", SLIPWAY_CACHE_URL: "memory:" };
  expect(await backendChecks(own)).toEqual([]);
});

test("what is wrong is told with a remedy each, and without the passwords", async () => {
  const file = join(folder, "regions.yaml");
  await writeFile(
    file,
    "- { name: eu, kubeconfig: nowhere, context: eu, mesh_url: 'http://m', metrics_url: 'prometheus:http://me:hunter2@127.0.0.1:1' }\n",
  );
  const checks = await backendChecks({
    SLIPWAY_DATABASE_URL: "postgres://admin:hunter2@127.0.0.1:1/slipway",
    SLIPWAY_BUS_URL: "kafka://127.0.0.1:1",
    SLIPWAY_LOCK_URL: "redis://:hunter2@127.0.0.1:1",
    SLIPWAY_CACHE_URL: "redis://:hunter2@127.0.0.1:2",
    SLIPWAY_REGIONS: file,
    SLIPWAY_EXECUTOR: "kubernetes:///nowhere.kubeconfig?image=registry.example/slipway-services:0.1.0",
    SLIPWAY_IMAGE_REGISTRIES: "ghcr.io=http://me:hunter2@127.0.0.1:1",
    SLIPWAY_EXTERNAL_REGISTRIES: join(folder, "nowhere.json"),
    SLIPWAY_PUBLISH_TO: "https://registry.example/team",
  });

  expect(checks.map(({ name, state }) => [name, state])).toEqual([
    ["database", "bad"],
    ["bus", "bad"],
    ["locks", "bad"],
    ["cache", "bad"],
    ["executor", "bad"],
    ["regions", "bad"],
    ["regions", "bad"],
    ["registries", "bad"],
    ["external registries", "bad"],
    ["published images", "bad"],
  ]);
  for (const { remedy } of checks) expect(remedy).toMatch(/SLIPWAY_|kubeconfig|metrics_url/);
  expect(JSON.stringify(checks)).not.toContain("hunter2");
});

test("a Prometheus that scrapes no mesh, or scrapes it too seldom, is doubted, since one of a mesh that nobody asked yet looks the same", async () => {
  const answers = { newest: undefined as number | undefined, samples: undefined as number | undefined };
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    const query = form.get("query") ?? "";
    asked.push(query);
    const value = query.includes("count_over_time") ? answers.samples : answers.newest;
    const result = value === undefined ? [] : [{ metric: {}, value: [1_000, String(value)] }];
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ status: "success", data: { resultType: "vector", result } }));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const SLIPWAY_REGIONS = await regionsFile({
    ...{ metrics_url: `prometheus:http://me:hunter2@${host}`, metrics_labels: { cluster: "eu" } },
  });
  const found = async (newest?: number, samples?: number) => {
    Object.assign(answers, { newest, samples });
    const metrics = (await backendChecks({ SLIPWAY_REGIONS })).filter(({ name }) => name === "metrics");
    return metrics.map(({ state, found, remedy }) => `${state}: ${found}: ${remedy}`);
  };
  const series = 'istio_requests_total{cluster="eu"}';
  const oftener =
    "Let it scrape the mesh every 15 s or less (scrape_interval), and see among its targets that each answers.";

  expect(await found()).toEqual([
    `warning: region eu: Prometheus at ${host} has no ${series} yet: Where its mesh has had requests, let it scrape the mesh, or say how its metrics are named (metrics_shape in the regions file).`,
  ]);
  expect(asked.some((query) => query.includes('{__name__=~"istio_requests_total",cluster="eu"}'))).toBe(true);
  expect(await found(990, 2)).toEqual([
    `warning: region eu: Prometheus at ${host} has a sample of ${series} every 60 s or so, and one says nothing about now after 30 s: ${oftener}`,
  ]);
  expect(await found(900)).toEqual([
    `warning: region eu: the newest ${series} in Prometheus at ${host} is 100 s old: ${oftener}`,
  ]);
  expect(await found(990, 8)).toEqual([]);
  // Prometheus has just begun.
  expect(await found(990)).toEqual([]);
  server.closeAllConnections();
  server.close();
});

test("a remedy that is a command stands there as it is typed, and one that is a sentence as a sentence", async () => {
  const answers: Readonly<Record<string, object>> = {
    "/version": { major: "1", minor: "34" },
    "/apis/networking.istio.io/v1": { resources: [{ name: "virtualservices" }, { name: "destinationrules" }] },
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": { status: { allowed: false } },
  };
  const server = createServer(({ url = "" }, response) => {
    const answer = answers[url];
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? { kind: "Status", code: 404, message: "not found" }));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kubeconfig = await written(
    "here.kubeconfig",
    JSON.stringify({
      clusters: [{ name: "c", cluster: { server: at, "insecure-skip-tls-verify": true } }],
      users: [{ name: "u", user: { token: "of-the-test" } }],
      contexts: [{ name: "eu", context: { cluster: "c", user: "u" } }],
    }),
  );

  const checks = await backendChecks({ SLIPWAY_REGIONS: await regionsFile({ kubeconfig, context: "eu" }) });

  expect(checks.map(({ remedy }) => remedy)).toEqual([
    "kubectl apply -f deploy/regions, and use its service accounts",
    "Add it.",
  ]);
  server.closeAllConnections();
  server.close();
});

test("a store that is no S3 is named, and so is a variable that cannot be read", async () => {
  const server = createServer((_, response) => response.writeHead(418).end("no")).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const url = `s3://bucket?endpoint=http://127.0.0.1:${port}&region=us-east-1`;

  expect(await backendChecks({ SLIPWAY_OBJECTS_URL: url })).toMatchObject([{ name: "objects", state: "bad" }]);
  expect(await backendChecks({ SLIPWAY_OBJECTS_URL: "s4://bucket" })).toMatchObject([
    { name: "SLIPWAY_OBJECTS_URL", state: "bad" },
  ]);
  server.close();
});

test("registries of the artifact-registry's own file are told as its readiness tells them", async () => {
  const file = join(folder, "registries.json");
  const password_file = join(folder, "password");
  const environment = { SLIPWAY_EXTERNAL_REGISTRIES: file, SLIPWAY_EXTERNAL_LOOPBACK: "true" };
  const named = { "127.0.0.1:1": { username: "me", password_file }, "127.0.0.1:2": {} };
  const look = async (hosts: object) => {
    await writeFile(file, JSON.stringify({ public: false, hosts }));
    return backendChecks(environment);
  };
  await writeFile(password_file, "hunter2");

  const checks = await look(named);

  expect(namesBackends({ SLIPWAY_EXTERNAL_REGISTRIES: file })).toBe(true);
  const ready = await foreignRegistries(readRegistriesFile(file), true).problems();
  const told = checks.map(({ found, remedy }) => `${found}: ${remedy}`.replace(/: S(.*)\.$/, ": s$1"));
  expect([told, told.length]).toEqual([ready, 2]);
  expect(JSON.stringify(checks)).not.toContain("hunter2");
  expect(await look({})).toEqual([{ name: "external registries", state: "ok", found: "can be used" }]);
  expect(await backendChecks({ ...environment, SLIPWAY_EXTERNAL_REGISTRIES: join(folder, "nowhere") })).toMatchObject([
    { name: "external registries", state: "bad", remedy: "Put it there, or correct SLIPWAY_EXTERNAL_REGISTRIES." },
  ]);
});

test("an image of the executor that its registry does not have is named", async () => {
  const server = createServer((_, response) => {
    const unknown = { errors: [{ code: "MANIFEST_UNKNOWN", message: "unknown" }] };
    response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify(unknown));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const image = `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/slipway-services:0.9`;

  const checks = await backendChecks({ SLIPWAY_EXECUTOR: `kubernetes:///nowhere.kubeconfig?image=${image}` });

  expect(checks).toContainEqual({
    ...{ name: "executor images", state: "bad" },
    found: `the registry of ${image} has no such image, so that nodes cannot pull it`,
    remedy: "Correct image= in SLIPWAY_EXECUTOR, or push it there.",
  });
  server.close();
});

/** A file with this text. */
async function written(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

const region = { name: "eu", kubeconfig: "k", context: "c", mesh_url: "http://m" };
const regionsFile = (change: object) => written("regions.json", JSON.stringify([{ ...region, ...change }]));

test.each([
  [
    "SLIPWAY_DATABASE_URL",
    async () => "mysql://me:hunter2@db",
    /^mysql: is not available; there is: embedded:, postgres:/,
    /^Correct SLIPWAY_DATABASE_URL\.$/,
  ],
  [
    "SLIPWAY_BUS_URL_FILE",
    async () => "/nowhere",
    /^\/nowhere cannot be read \(ENOENT\)$/,
    /^Put it there, or correct SLIPWAY_BUS_URL_FILE\.$/,
  ],
  [
    "SLIPWAY_PRODUCTION",
    async () => "prd",
    /^prd is not among SLIPWAY_ENVIRONMENTS \(dev, staging, prod\)$/,
    /^Name those of them that are production, or say none where none is\.$/,
  ],
  [
    "SLIPWAY_ENVIRONMENTS",
    async () => "dev,dev,prod",
    /^names dev more than once$/,
    /^Correct SLIPWAY_ENVIRONMENTS\.$/,
  ],
  ["SLIPWAY_PORT", async () => "eighty", /^must be a number$/, /^Correct SLIPWAY_PORT\.$/],
  [
    "SLIPWAY_LOG_LEVEL",
    async () => "debgu",
    /^must be one of "debug", .*, did you mean "debug"\?$/,
    /^Correct SLIPWAY_LOG_LEVEL\.$/,
  ],
  [
    "SLIPWAY_URL",
    async () => "hunter2.example",
    /^must be a whole URL that begins with http:\/\/ or https:\/\/$/,
    /^Correct SLIPWAY_URL\.$/,
  ],
  [
    "SLIPWAY_REGIONS",
    () => regionsFile({ kubeconfig: undefined, kubconfig: "k" }),
    /regions\.json: 0\.kubeconfig: is missing; it takes a text; 0: unknown key "kubconfig", did you mean "kubeconfig"\?$/,
    /^Correct \/.*\/regions\.json\.$/,
  ],
  [
    "SLIPWAY_REGIONS",
    () => regionsFile({ metrics_shape: "hunter2" }),
    /0\.metrics_shape: must be "istio", "envoy" or "slipway", or a map/,
    /^Correct \/.*\/regions\.json\.$/,
  ],
  [
    "SLIPWAY_REGIONS",
    () => written("none.yaml", ""),
    /none\.yaml: is empty \(null\); it takes a list$/,
    /none\.yaml\.$/,
  ],
  [
    "SLIPWAY_REGIONS",
    async () => "/nowhere/regions.yaml",
    /^\/nowhere\/regions\.yaml: cannot be read \(ENOENT\)$/,
    /^Put it there, or correct SLIPWAY_REGIONS\.$/,
  ],
  [
    "SLIPWAY_SLACK_WEBHOOK_URL",
    async () => "hooks.slack.com/services/hunter2",
    /^must be a whole URL that begins with http:\/\/ or https:\/\/$/,
    /^Correct SLIPWAY_SLACK_WEBHOOK_URL\.$/,
  ],
  ["SLIPWAY_SECRETS_KEY", async () => "hunter2", /^is not a key: /, /^Correct SLIPWAY_SECRETS_KEY\.$/],
  [
    "SLIPWAY_ARTIFACT_REGISTRY_URL",
    async () => "artifact-registry:7400",
    /^must be a whole URL that begins with http:\/\/ or https:\/\/$/,
    /^Correct SLIPWAY_ARTIFACT_REGISTRY_URL\.$/,
  ],
])("a wrong %s is told in words, with where to correct it", async (name, value, found, remedy) => {
  const checks = await backendChecks({ [name]: await value() });

  expect(checks).toEqual([
    { name, state: "bad", found: expect.stringMatching(found), remedy: expect.stringMatching(remedy) },
  ]);
  expect(JSON.stringify(checks)).not.toContain("hunter2");
});

test("a variable whose name is nearly that of another is named with the other, and no other unknown one is", async () => {
  const environment = {
    ...{ SLIPWAY_DATABSE_URL: "postgres://me:hunter2@db/slipway", SLIPWAY_SLAK_WEBHOOK_URL_FILE: "/run/secrets/slack" },
    SLIPWAY_REGIONS_FILE: "/etc/slipway/regions.yaml",
    // Of somebody's own, of the command line, and what Kubernetes adds by itself.
    ...{ SLIPWAY_OF_MY_OWN: "1", SLIPWAY_TOKEN: "slp_x", SLIPWAY_BUILD_SERVICE_PORT: "tcp://10.0.0.1:7400" },
    ...{ SLIPWAY_BUILD_SERVICE_SERVICE_HOST: "10.0.0.1", SLIPWAY_BUILD_SERVICE_PORT_7400_TCP: "tcp://10.0.0.1:7400" },
  };

  const misspelt = (variable: string, meant: string) => ({
    ...{ name: variable, state: "bad", found: "nobody reads it" },
    remedy: `Say ${meant} if that is what was meant, or take it away.`,
  });
  expect(await variableChecks(environment)).toEqual([
    misspelt("SLIPWAY_DATABSE_URL", "SLIPWAY_DATABASE_URL"),
    misspelt("SLIPWAY_SLAK_WEBHOOK_URL_FILE", "SLIPWAY_SLACK_WEBHOOK_URL_FILE"),
    misspelt("SLIPWAY_REGIONS_FILE", "SLIPWAY_REGIONS"),
  ]);
});

test("other services are looked at where their addresses are named, as far as this one calls them", async () => {
  const server = createServer(({ url }, response) => {
    const type = url === "/api/v1/watches" ? "application/problem+json" : "text/html";
    response.writeHead(url === "/api/v1/watches" ? 401 : 404, { "content-type": type }).end("{}");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const here = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  const gone = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => gone.once("listening", resolve));
  const closed = (gone.address() as AddressInfo).port;
  await new Promise((resolve) => gone.close(resolve));
  const addresses = {
    SLIPWAY_ARTIFACT_REGISTRY_URL: `http://127.0.0.1:${closed}`,
    SLIPWAY_DEPLOYMENT_ORCHESTRATOR_URL: "http://nobody.invalid:7400",
    SLIPWAY_ROLLBACK_CONTROLLER_URL: `${here}/`,
    SLIPWAY_BUILD_SERVICE_URL: here,
    SLIPWAY_DATA: folder,
  };

  expect(namesBackends({ SLIPWAY_ARTIFACT_REGISTRY_URL: here })).toBe(true);
  const away = {
    ...{ name: "services", state: "bad", found: `nothing listens at 127.0.0.1:${closed}` },
    remedy: "See that the artifact-registry runs, or correct SLIPWAY_ARTIFACT_REGISTRY_URL.",
  };
  expect(await backendChecks(addresses)).toEqual([
    {
      ...{ name: "services", state: "bad", found: `what answers at ${here.slice(7)} is no service of Slipway (404)` },
      remedy: "See that the build-service runs, or correct SLIPWAY_BUILD_SERVICE_URL.",
    },
    away,
    {
      ...{ name: "services", state: "bad", found: "the host of nobody.invalid:7400 is not known" },
      remedy: "See that the deployment-orchestrator runs, or correct SLIPWAY_DEPLOYMENT_ORCHESTRATOR_URL.",
    },
  ]);
  // In the orchestrator's pod.
  await mkdir(join(folder, "tokens"));
  await writeFile(join(folder, "tokens", "deployment-orchestrator"), "slp_x");
  expect(await backendChecks(addresses)).toEqual([away]);
  server.closeAllConnections();
  server.close();
});

test("a webhook's host is asked whether it is there, nothing is posted, and its path is told nobody", async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const at = (host: string) => backendChecks({ SLIPWAY_SLACK_WEBHOOK_URL: `${host}/services/SECRET` });

  expect(await at(`http://127.0.0.1:${port}`)).toEqual([{ name: "notifications", state: "ok", found: "can be used" }]);
  expect(asked).toEqual(["GET /"]);
  const away = await at("https://hooks.slack.invalid");
  expect(away).toEqual([
    {
      ...{ name: "notifications", state: "bad", found: "the host of hooks.slack.invalid is not known" },
      remedy: "Let the notification-service out to it, or correct SLIPWAY_SLACK_WEBHOOK_URL.",
    },
  ]);
  server.close();
});

test("the key of secrets is looked at where a service keeps some: one that is torn, and one that is not mounted", async () => {
  const environment = { SLIPWAY_DATA: folder, SLIPWAY_PREPARED: "true", SLIPWAY_LOCK_URL: "postgres:" };
  await mkdir(join(folder, "tokens"));
  await mkdir(join(folder, "secrets"));
  expect(await backendChecks(environment)).toEqual([]);

  await written("tokens/build-service", "slp_");
  const key = join(folder, "secrets/values.key");
  expect(await backendChecks(environment)).toMatchObject([
    {
      name: "secrets",
      state: "bad",
      found: `${key} is missing`,
      remedy: expect.stringMatching(/^Mount there the key/),
    },
  ]);

  await written("secrets/values.key", "torn");
  expect(await backendChecks(environment)).toMatchObject([
    {
      name: "secrets",
      state: "bad",
      found: `${key} holds no whole key`,
      remedy: expect.stringMatching(/SLIPWAY_SECRETS_KEY/),
    },
  ]);
});
