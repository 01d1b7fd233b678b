import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { type Client, createClient, type PlatformService, schemaOf } from "@slipway/client";
import { freePort, programEnv, sharedFolder, type TestDatabase, testDatabase, until } from "@slipway/testkit";

const root = resolve(import.meta.dirname, "../../../..");
const run = promisify(execFile);

export const serviceNames = Object.keys(schemaOf) as PlatformService[];

export type Person = "admin" | "approver" | "deployer" | "viewer";

export type Replica = {
  readonly service: PlatformService;
  readonly url: string;
  readonly pid: number;
  /** The folder that it has for itself. */
  readonly dataDir: string;
  /** Standard output and error so far. */
  said(): string;
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null>;
};

/** `program`: a `service.mjs`. `url`: of the process that was there before. */
export type How = { readonly program?: string; readonly url?: string };

/** Six services as a cluster runs them: processes of one bundle, each with its own folder, token and role, prepared beforehand. */
export type PlatformApart = {
  readonly database: TestDatabase;
  readonly folder: string;
  readonly tokens: Readonly<Record<Person, string>>;
  /** Every token, password and key that any of them was given. */
  secrets(): Promise<readonly string[]>;
  /** The folder which a process of that service has for itself. */
  dataOf(service: PlatformService): string;
  urlOf(service: PlatformService): string;
  /** A process of the service, at its own address or, for a second one, at another; `how`: of another program, or in the place of one that has ended. */
  start(service: PlatformService, env?: Readonly<Record<string, string>>, how?: How): Promise<Replica>;
  /** Once more, by another program: what a newer version adds to the schemas. */
  prepare(program: string): Promise<void>;
  /** `at`: the orchestrator that is asked, where it is not the one at its own address. */
  client(as: Person, at?: string): Client;
  stop(): Promise<void>;
};

/** The program of all of them, made once for each caller's process. */
let bundle: Promise<string> | undefined;
export function servicesBundle(): Promise<string> {
  bundle ??= (async () => {
    // Ignored by git, and what a bundle leaves out is found from there.
    const folder = join(root, `apps/standalone/node_modules/.bundle-services-${process.env.VITEST_POOL_ID ?? 0}`);
    await run(process.execPath, [join(root, "scripts/bundle.mjs"), "--services", folder], { cwd: root });
    return join(folder, "service.mjs");
  })();
  return bundle;
}

/** Runs `service.mjs` for what ends by itself: `prepare`, `credentials`. */
export async function runServices(args: readonly string[], env: Readonly<Record<string, string>>, program?: string) {
  const bundled = program ?? (await servicesBundle());
  return run(process.execPath, [bundled, ...args], { env: { ...programEnv(), ...env } });
}

/**
 * Prepares an empty database and starts nothing yet. `env`: of every service, e.g. another bus. `own`: of one. `program`: what prepares it.
 */
export async function preparePlatform(
  env: Readonly<Record<string, string>> = {},
  own: Partial<Record<PlatformService, Readonly<Record<string, string>>>> = {},
  program?: string,
): Promise<PlatformApart> {
  const database = await testDatabase([]);
  const folder = await mkdtemp(join(tmpdir(), "slipway-apart-"));
  const credentials = join(folder, "credentials");
  await runServices(["credentials"], { SLIPWAY_DATA: credentials }, program);
  await takeOverPasswords(database, credentials);
  await writeFile(join(folder, "admin-url"), `${database.adminUrl}\n`);
  const asAdmin = {
    SLIPWAY_DATA: credentials,
    SLIPWAY_PREPARED: "true",
    SLIPWAY_DATABASE_URL_FILE: join(folder, "admin-url"),
  };
  const prepare = async (by?: string) => void (await runServices(["prepare"], asAdmin, by));
  await prepare(program);
  const ports = new Map<PlatformService, number>();
  for (const name of serviceNames) ports.set(name, await freePort());
  const urlOf = (service: PlatformService) => `http://127.0.0.1:${ports.get(service)}`;
  const dataOf = (service: PlatformService) => join(folder, "data", service);
  for (const name of serviceNames) await giveCredentials(credentials, dataOf(name), name);

  const replicas = new Set<Replica>();
  const clients = new Set<Client>();
  const tokenOf = async (name: string) => (await readFile(join(credentials, "tokens", name), "utf8")).trim();
  const tokens = {
    admin: await tokenOf("admin"),
    approver: await tokenOf("approver"),
    deployer: await tokenOf("deployer"),
    viewer: await tokenOf("viewer"),
  };
  const shared = {
    SLIPWAY_PREPARED: "true",
    SLIPWAY_BASES: sharedFolder("bases"),
    SLIPWAY_DATABASE_URL: withoutLogin(database.adminUrl),
    SLIPWAY_URL: urlOf("deployment-orchestrator"),
    ...Object.fromEntries(serviceNames.map((name) => [variableOf(name), urlOf(name)])),
    ...env,
  };
  const taken = new Map<PlatformService, number>();
  return {
    ...{ database, folder, tokens, dataOf, urlOf, prepare },
    async secrets() {
      const files = await readdir(credentials, { recursive: true, withFileTypes: true });
      const texts = files
        .filter((file) => file.isFile())
        .map((file) => readFile(join(file.parentPath, file.name), "utf8"));
      return (await Promise.all(texts)).map((text) => text.trim());
    },
    async start(service, more = {}, { program: by, url } = {}) {
      const before = taken.get(service) ?? 0;
      taken.set(service, before + 1);
      const elsewhere = async () => (before > 0 ? await freePort() : (ports.get(service) ?? 0));
      const port = url === undefined ? await elsewhere() : Number(new URL(url).port);
      // As on another node.
      const dataDir = before > 0 ? `${dataOf(service)}-${before + 1}` : dataOf(service);
      if (before > 0) await giveCredentials(credentials, dataDir, service);
      const env = { ...shared, SLIPWAY_DATA: dataDir, SLIPWAY_PORT: String(port), ...own[service], ...more };
      const replica = await startReplica(service, env, by ?? program);
      replicas.add(replica);
      return replica;
    },
    client(as, at = urlOf("deployment-orchestrator")) {
      const urls = Object.fromEntries(serviceNames.map((name) => [name, urlOf(name)]));
      const asked = { ...urls, "deployment-orchestrator": at };
      const client = createClient({ url: at, urls: asked, token: tokens[as] });
      clients.add(client);
      return client;
    },
    async stop() {
      for (const client of clients) await client.close();
      await Promise.all([...replicas].map((replica) => replica.end("SIGKILL")));
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const variableOf = (service: string) => `SLIPWAY_${service.toUpperCase().replaceAll("-", "_")}_URL`;

/** What a service is told of a database that others prepared: where it is. */
function withoutLogin(url: string): string {
  const place = new URL(url);
  place.username = "";
  place.password = "";
  return place.href;
}

/** Roles belong to the whole server of the tests: its passwords stay those that the other tests use. */
export async function takeOverPasswords(database: TestDatabase, credentials: string): Promise<void> {
  for (const schema of ["bus", "access", ...Object.values(schemaOf)]) {
    const password = decodeURIComponent(new URL(database.url(schema)).password);
    await writeFile(join(credentials, "secrets/postgres", `slipway_${schema}`), `${password}\n`);
  }
}

/** Its own token, its own role's password, and the key where it has secrets: nobody else's. */
async function giveCredentials(from: string, to: string, service: PlatformService): Promise<void> {
  const role = `slipway_${schemaOf[service]}`;
  const files = [`tokens/${service}`, `secrets/postgres/${role}`];
  if (service === "build-service" || service === "deployment-orchestrator") files.push("secrets/values.key");
  for (const file of files) {
    await mkdir(join(to, file, ".."), { recursive: true });
    await cp(join(from, file), join(to, file));
  }
}

async function startReplica(
  service: PlatformService,
  env: Readonly<Record<string, string>>,
  program?: string,
): Promise<Replica> {
  const child: ChildProcess = spawn(process.execPath, [program ?? (await servicesBundle()), service], {
    env: { ...programEnv(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  const exited = once(child, "exit").then(([code]) => code as number | null);
  const url = `http://127.0.0.1:${env.SLIPWAY_PORT}`;
  const alive = async () => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${service} has ended:\n${text}`);
    return (await fetch(`${url}/livez`)).status === 200;
  };
  await until(alive, { what: `${service} at ${url}` });
  return {
    ...{ service, url, pid: child.pid ?? 0, dataDir: env.SLIPWAY_DATA ?? "" },
    said: () => text,
    async end(signal) {
      child.kill(signal);
      return await exited;
    },
  };
}
