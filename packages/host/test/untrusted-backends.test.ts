import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import {
  type AddressInfo,
  createServer as createDoor,
  connect as dial,
  type Server as NetServer,
  type Socket,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { makeCertificates } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { checkBackends } from "../src/index.ts";

type Where = {
  readonly host: string;
  /** Where TLS is agreed upon as Postgres does it. */
  readonly postgres: string;
  readonly ca: string;
  readonly kubeconfig: string;
};

const known = getCACertificates("default");
const servers: Server[] = [];
const doors: NetServer[] = [];
const sockets = new Set<Socket>();
let folder: string;
let expired: Where;
let another: Where;
let unknown: Where;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-untrusted-"));
  [expired, another, unknown] = await Promise.all([
    serve("expired", { days: -1 }),
    serve("another", { names: "DNS:other.example" }),
    serve("unknown", {}),
  ]);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "me");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "of-the-test");
  setDefaultCACertificates([...known, expired.ca, another.ca]);
});
afterAll(async () => {
  setDefaultCACertificates(known);
  vi.unstubAllEnvs();
  for (const socket of sockets) socket.destroy();
  for (const door of doors) door.close();
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
  await rm(folder, { recursive: true });
});

/** Somebody behind TLS, whose authority is known. */
async function serve(name: string, how: { names?: string; days?: number }): Promise<Where> {
  const dir = join(folder, name);
  await mkdir(dir);
  const { certFile, keyFile, ca } = await makeCertificates(dir, how);
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  const server = createServer({ cert, key }, (_, response) => response.end("{}")).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  const kubeconfig = join(dir, "kubeconfig");
  const cluster = { server: `https://${host}`, "certificate-authority-data": Buffer.from(ca).toString("base64") };
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "eu", context: { cluster: "c", user: "u" } }],
    }),
  );
  return { host, postgres: await postgresDoor(port), ca, kubeconfig };
}

/** Postgres agrees upon TLS before it begins. */
async function postgresDoor(to: number): Promise<string> {
  const door = createDoor((inner) => {
    const outer = dial(to, "127.0.0.1");
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => [inner, outer].forEach((each) => void each.destroy()));
    }
    inner.once("data", () => {
      inner.write("S");
      inner.pipe(outer).pipe(inner);
    });
  }).listen(0, "127.0.0.1");
  doors.push(door);
  await once(door, "listening");
  return `127.0.0.1:${(door.address() as AddressInfo).port}`;
}

/** What is said of a service, a region and its Prometheus, and S3, which are all there. */
async function said({ host, kubeconfig }: Where): Promise<readonly string[]> {
  const regions = join(folder, `${host.replace(":", "-")}.json`);
  const metrics_url = `prometheus:https://${host}`;
  await writeFile(
    regions,
    JSON.stringify([{ name: "eu", kubeconfig, context: "eu", mesh_url: "http://m", metrics_url }]),
  );
  const checks = await checkBackends({
    SLIPWAY_REGIONS: regions,
    SLIPWAY_ARTIFACT_REGISTRY_URL: `https://${host}`,
    SLIPWAY_DATA: folder,
  });
  return checks.flatMap(({ problems }) => problems);
}

describe("a certificate that is not believed although its authority is known", () => {
  test("because it has expired is to be renewed, and nobody's authority to be corrected", async () => {
    const { host } = expired;
    const remedy = "has expired: renew it there, or correct this machine's clock";

    expect(await said(expired)).toEqual([
      `region eu: its certificate ${remedy}`,
      `region eu: the certificate of Prometheus at ${host} ${remedy}`,
      `the certificate of ${host} ${remedy}`,
    ]);
  });

  test("because it is another's names whose it is, and where the name that is asked for stands", async () => {
    const { host, kubeconfig } = another;
    const other = "is of another name (DNS:other.example)";

    expect(await said(another)).toEqual([
      `region eu: its certificate ${other}: name it in \`server\` of ${kubeconfig} as its certificate does, or say \`tls-server-name\` there`,
      `region eu: the certificate of Prometheus at ${host} ${other}: name it in metrics_url as its certificate does, or give it one for that name`,
      `the certificate of ${host} ${other}: name the artifact-registry in SLIPWAY_ARTIFACT_REGISTRY_URL as its certificate does, or give it one for ${host}`,
    ]);
  });
});

type Backend = {
  readonly name: string;
  readonly variable: string;
  url(where: Where): string;
  of(where: Where): string;
  readonly rename: string;
  readonly correct: string;
};
const backends: readonly Backend[] = [
  {
    ...{ name: "Postgres", variable: "SLIPWAY_DATABASE_URL" },
    url: ({ postgres }) => `postgres://me@${postgres}/slipway?sslmode=verify-full`,
    of: ({ postgres }) => `Postgres at ${postgres}`,
    rename: "name it in SLIPWAY_DATABASE_URL as its certificate does",
    correct: "SLIPWAY_DATABASE_URL",
  },
  {
    ...{ name: "Kafka", variable: "SLIPWAY_BUS_URL" },
    url: ({ host }) => `kafka+ssl://${host}`,
    of: ({ host }) => `Kafka at ${host}`,
    rename: "name its brokers in SLIPWAY_BUS_URL, and in their advertised.listeners, as their certificates do",
    correct: "SLIPWAY_BUS_URL",
  },
  {
    ...{ name: "Redis", variable: "SLIPWAY_LOCK_URL" },
    url: ({ host }) => `rediss://${host}`,
    of: ({ host }) => `Redis at ${host}`,
    rename: "name it in SLIPWAY_LOCK_URL as its certificate does",
    correct: "SLIPWAY_LOCK_URL",
  },
  {
    ...{ name: "S3", variable: "SLIPWAY_OBJECTS_URL" },
    url: ({ host }) => `s3://slipway?endpoint=https://${host}&region=us-east-1`,
    of: ({ host }) => `https://${host}`,
    rename: "name the store in endpoint= of SLIPWAY_OBJECTS_URL as its certificate does",
    correct: "endpoint= in SLIPWAY_OBJECTS_URL",
  },
];

describe.each(backends)("$name behind a certificate that is not believed", ({ variable, url, of, rename, correct }) => {
  const problem = async (where: Where) => {
    const checks = await checkBackends({ SLIPWAY_DATA: folder, [variable]: url(where) });
    const about = checks.flatMap(({ problems }) => problems).filter((text) => text.includes("certificate"));
    expect(about).toHaveLength(1);
    return about[0];
  };

  test("says that it has expired", async () => {
    expect(await problem(expired)).toContain(
      `the certificate of ${of(expired)} has expired: renew it there, or correct this machine's clock`,
    );
  });

  test("says whose names it is of", async () => {
    // Of an address that is asked for Node's words name the certificate's addresses, and Kafka's library keeps the words alone.
    const names = variable === "SLIPWAY_BUS_URL" ? "" : " (DNS:other.example)";
    expect(await problem(another)).toContain(`the certificate of ${of(another)} is of another name${names}: ${rename}`);
  });

  test("says that nobody here knows its authority", async () => {
    expect(await problem(unknown)).toContain(
      `the certificate of ${of(unknown)} is not trusted: give its authority to this process (NODE_EXTRA_CA_CERTS), or correct ${correct}`,
    );
  });
});
