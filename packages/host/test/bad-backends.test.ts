import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttp } from "node:http";
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiServer, startApiServer } from "@slipway/local-region";
import { silentLogger } from "@slipway/sql";
import { freePort, kafka010, startScriptedKafka, type TestDatabase, testDatabase } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { checkBackends } from "../src/index.ts";

/** What the doctor says of each backend, whatever is wrong with it. Its readiness says the same: both ask the same functions (backends-watched.test.ts). */

type Where = { readonly host: string; readonly port: number };
type Backend = "database" | "bus" | "locks" | "cache" | "objects" | "executor" | "regions" | "metrics";

const password = "hunter2-of-the-test";
let folder: string;
let database: TestDatabase;
/** Speaks TLS under an authority that nobody trusts. */
let tls: ApiServer;
/** Answers every request with a page of its own. */
let page: Server;
let tlsPostgres: Server;
let closed: number;
const sockets = new Set<Socket>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-bad-"));
  database = await testDatabase([]);
  tls = await startApiServer({ name: "tls", dir: join(folder, "tls"), port: 0, log: silentLogger });
  page = createHttp((_, answer) => answer.writeHead(404, { "content-type": "text/html" }).end("<h1>no</h1>"));
  page.on("connection", (socket) => sockets.add(socket));
  // Postgres agrees upon TLS before it begins.
  tlsPostgres = passing(tls.port, (inner, outer) => {
    inner.once("data", () => {
      inner.write("S");
      inner.pipe(outer).pipe(inner);
    });
  });
  for (const server of [page, tlsPostgres]) await listening(server);
  closed = await freePort();
  vi.stubEnv("AWS_ACCESS_KEY_ID", "me");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", password);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  for (const socket of sockets) socket.destroy();
  for (const server of [page, tlsPostgres]) server.close();
  await tls.stop();
  await database.close();
  await rm(folder, { recursive: true });
});

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return portOf(server);
}
const portOf = (server: Server) => (server.address() as AddressInfo).port;

function passing(to: number | string, begin: (inner: Socket, outer: Socket) => void): Server {
  return createServer((inner) => {
    const outer = typeof to === "number" ? dial(to, "127.0.0.1") : dial(to);
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => [inner, outer].forEach((each) => void each.destroy()));
    }
    begin(inner, outer);
  });
}

async function kubeconfig(server: string): Promise<string> {
  const path = join(folder, `${server.replaceAll(/\W+/g, "-")}.kubeconfig`);
  // Without it the client library takes no http:// at all.
  const cluster = server.startsWith("https:") ? { server } : { server, "insecure-skip-tls-verify": true };
  await writeFile(
    path,
    JSON.stringify({
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user: { token: password } }],
      contexts: [{ name: "eu", context: { cluster: "c", user: "u" } }],
      "current-context": "eu",
    }),
  );
  return path;
}

async function regions(kube: string, metrics: string): Promise<string> {
  const path = join(folder, `regions-${(kube + metrics).replaceAll(/\W+/g, "-").slice(-120)}.json`);
  const entry = { name: "eu", kubeconfig: kube, context: "eu", mesh_url: "http://mesh", metrics_url: metrics };
  await writeFile(path, JSON.stringify([entry]));
  return path;
}

/** The environment that names this backend there, spoken to in the clear or by TLS. */
async function environmentOf(
  backend: Backend,
  { host, port }: Where,
  secure: boolean,
): Promise<Record<string, string>> {
  const [at, http] = [`${host}:${port}`, secure ? "https" : "http"];
  switch (backend) {
    case "database":
      return { SLIPWAY_DATABASE_URL: `postgres://me:${password}@${at}/slipway${secure ? "?sslmode=verify-full" : ""}` };
    case "bus":
      return { SLIPWAY_BUS_URL: `kafka${secure ? "+ssl" : ""}://me:${password}@${at}` };
    case "locks":
      return { SLIPWAY_LOCK_URL: `redis${secure ? "s" : ""}://me:${password}@${at}` };
    case "cache":
      return { SLIPWAY_CACHE_URL: `redis${secure ? "s" : ""}://me:${password}@${at}` };
    case "objects":
      return { SLIPWAY_OBJECTS_URL: `s3://slipway?endpoint=${http}://${at}&region=us-east-1` };
    case "executor":
      return { SLIPWAY_EXECUTOR: `kubernetes://${await kubeconfig(`${http}://${at}`)}?image=registry.example/x:1` };
    case "regions":
      return { SLIPWAY_REGIONS: await regions(await kubeconfig(`${http}://${at}`), "scrape:http://127.0.0.1:1") };
    case "metrics":
      return {
        SLIPWAY_REGIONS: await regions(join(folder, "none"), `prometheus:${http}://me:${password}@${at}`),
      };
  }
}

const backends = ["database", "bus", "locks", "cache", "objects", "executor", "regions", "metrics"] as const;
/** By which word of its sentence each says where to correct it. */
const remedies: Readonly<Record<Backend, RegExp>> = {
  database: /SLIPWAY_DATABASE_URL/,
  bus: /SLIPWAY_BUS_URL/,
  locks: /SLIPWAY_LOCK_URL|rediss:\/\//,
  cache: /SLIPWAY_CACHE_URL|rediss:\/\//,
  objects: /SLIPWAY_OBJECTS_URL|NODE_EXTRA_CA_CERTS|s3:/,
  executor: /kubeconfig/,
  regions: /kubeconfig/,
  metrics: /metrics_url/,
};

async function said(backend: Backend, where: Where, secure = false): Promise<string> {
  const checks = await checkBackends(await environmentOf(backend, where, secure));
  const problems = checks.flatMap((check) => check.problems);
  expect(JSON.stringify(problems)).not.toContain(password);
  const about = problems.filter((problem) =>
    backend === "metrics" ? /Prometheus/.test(problem) : !/mesh proxy/.test(problem),
  );
  expect(about).toEqual([expect.stringMatching(remedies[backend])]);
  return about[0] ?? "";
}

// Kafka is asked several times, with pauses.
describe.concurrent.each(backends)("%s", (backend) => {
  test("where the host is not known", async () => {
    expect(await said(backend, { host: "nobody.invalid", port: 1234 })).toMatch(
      backend === "bus"
        ? /Kafka does not answer at nobody\.invalid:1234 \(.*(ENOTFOUND|EAI_AGAIN)/
        : /host of .* is not known/,
    );
  });

  test("where nothing listens", async () => {
    expect(await said(backend, { host: "127.0.0.1", port: closed })).toMatch(
      /nothing listens (at|where) .*|does not answer.*: start it/,
    );
  });

  test("where the certificate is not trusted", async () => {
    const port = backend === "database" ? portOf(tlsPostgres) : tls.port;

    expect(await said(backend, { host: "127.0.0.1", port }, true)).toMatch(/TLS|certificate .*not trusted/);
  });

  test("where something else answers", async () => {
    expect(await said(backend, { host: "127.0.0.1", port: portOf(page) })).toMatch(
      /what (answers|listens) .*(is no|is not|does not speak)|cannot be used|does not answer|nothing answers in time/,
    );
  });
});

test("keys of S3 that may list and read alone are told as that", async () => {
  const store = createHttp(({ method, url = "" }, answer) => {
    const list = url.includes("uploads") ? "ListMultipartUploadsResult" : "ListBucketResult";
    const [status, text] =
      method === "GET" ? [200, `<${list}/>`] : [403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"];
    answer.writeHead(status as number, { "content-type": "application/xml" }).end(text);
  });
  const port = await listening(store);

  expect(await said("objects", { host: "127.0.0.1", port })).toMatch(
    /^storing an object: these credentials may not use the bucket slipway at .*: allow s3:GetObject, PutObject/,
  );
  store.closeAllConnections();
  store.close();
});

describe("what is too old", () => {
  test("Postgres before 15", async () => {
    const url = new URL(database.adminUrl);
    const socket = join(url.searchParams.get("host") ?? "", ".s.PGSQL.5432");
    // The server's own answer, with another version in it.
    const older = passing(socket, (inner, outer) => {
      inner.pipe(outer);
      outer.on("data", (chunk: Buffer) => {
        const text = chunk.toString("latin1").replace(/\b1[5-9]00(?=\d\d)/, "1300");
        inner.write(Buffer.from(text, "latin1"));
      });
    });
    const port = await listening(older);
    const here = `postgres://${url.username}:${url.password}@127.0.0.1:${port}${url.pathname}`;

    expect(await checkBackends({ SLIPWAY_DATABASE_URL: here })).toEqual([
      {
        name: "database",
        problems: [
          `Postgres at 127.0.0.1:${port} is version 13: upgrade it to 15 or newer, or name another in SLIPWAY_DATABASE_URL`,
        ],
      },
    ]);
    older.close();
  });

  test("Kafka before 0.11", async () => {
    const older = await startScriptedKafka(kafka010);

    expect(await checkBackends({ SLIPWAY_BUS_URL: `kafka://127.0.0.1:${older.port}` })).toEqual([
      { name: "bus", problems: [expect.stringMatching(/is too old \(.*\): upgrade it to 0\.11 or newer, or name/)] },
    ]);
    await older.stop();
  });

  test("Redis before 6", async () => {
    const info = "# Server\r\nredis_version:5.0.7\r\nloading:0\r\n";
    const older = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      // One answer to each command of a chunk, of whichever kind it is.
      socket.on("data", (chunk: Buffer) => {
        for (const command of chunk.toString().match(/\*\d+\r\n\$\d+\r\n\w+/g) ?? [])
          socket.write(/info$/i.test(command) ? `$${info.length}\r\n${info}\r\n` : "+OK\r\n");
      });
    });
    const port = await listening(older);

    expect(await checkBackends({ SLIPWAY_LOCK_URL: `redis://127.0.0.1:${port}` })).toEqual([
      { name: "locks", problems: [expect.stringMatching(/is 5\.0: upgrade it to 6\.0 or later/)] },
    ]);
    older.close();
  });
});
