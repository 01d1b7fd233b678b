import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openDb } from "@slipway/sql";
import { freePort, programEnv, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { checkBackends } from "../src/index.ts";

const program = ["--conditions=@slipway/source", join(import.meta.dirname, "notes-service-main.ts")];
const prepared = { SLIPWAY_PREPARED: "true" };

let database: TestDatabase;
let folder: string;
let place: URL;
let password: string;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  database = await testDatabase(["bus", "access", "notification"]);
  password = decodeURIComponent(new URL(database.url("notification")).password);
  place = new URL(database.adminUrl);
  place.username = "";
  place.password = "";
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-cannot-"));
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  await rm(folder, { recursive: true });
});
afterAll(() => database.close());

const give = async (file: string, text: string) => {
  await mkdir(join(folder, file, ".."), { recursive: true });
  await writeFile(join(folder, file), text);
};
const givePassword = (text: string) => give("secrets/postgres/slipway_notification", text);
const run = (command: string, env: Record<string, string>) =>
  promisify(execFile)(process.execPath, [...program, command], { env: { ...programEnv(), ...env } });

/** A token as `credentials` makes it, which nobody has told the database. */
const giveToken = async () => {
  await run("credentials", { SLIPWAY_DATA: join(folder, "made") });
  await give("tokens/notification-service", await readFile(join(folder, "made/tokens/notification-service"), "utf8"));
};
/** Roles belong to the whole server of the tests: their passwords stay what they are. */
const prepare = async () => {
  for (const schema of ["bus", "access", "notification"]) {
    const own = decodeURIComponent(new URL(database.url(schema)).password);
    await give(`made/secrets/postgres/slipway_${schema}`, own);
  }
  await run("prepare", { SLIPWAY_DATA: join(folder, "made"), SLIPWAY_DATABASE_URL: database.adminUrl, ...prepared });
};

async function start(env: Record<string, string>) {
  const port = await freePort();
  const child = spawn(process.execPath, program, {
    env: { ...programEnv(), SLIPWAY_DATA: folder, SLIPWAY_PORT: String(port), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const exited = once(child, "exit").then(([code]) => code as number | null);
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  return {
    ...{ child, exited, get, said: () => said },
    /** The reason why it is not ready, once it says one that matches. */
    reason: (pattern: RegExp) =>
      until(
        async () => {
          const body = (await (await get("/readyz")).json()) as { services: { reason?: string }[] };
          const reason = body.services[0]?.reason ?? "";
          return pattern.test(reason) ? reason : undefined;
        },
        { what: `a reason like ${pattern}` },
      ),
    ready: () => until(async () => (await get("/readyz")).status === 200, { what: "readiness" }),
  };
}

test("what is missing is said under /readyz one after the other, and once all is there the same process works", async () => {
  const service = await start({ ...prepared, SLIPWAY_DATABASE_URL: place.href });

  expect(await service.reason(/token/)).toMatch(/tokens\/notification-service is missing: mount there/);
  expect((await service.get("/livez")).status).toBe(200);
  expect((await service.get("/servingz")).status).toBe(503);
  expect((await service.get("/api/v1/notes")).status).toBe(404);

  await giveToken();
  expect(await service.reason(/password/)).toMatch(/slipway_notification is missing: mount there the role's password/);

  await givePassword("not-the-password");
  expect(await service.reason(/let slipway_notification in/)).toMatch(
    /correct .*secrets\/postgres\/slipway_notification/,
  );

  await givePassword(password);
  expect(await service.reason(/does not know/)).toMatch(
    /token in .*tokens\/notification-service: run `slipway-service prepare`/,
  );

  await prepare();
  await service.ready();
  expect((await service.get("/servingz")).status).toBe(200);
  expect(service.said()).not.toContain("not-the-password");
  expect(service.said()).not.toContain(password);
});

test.each([
  ["a host that is not there", "postgres://nobody.invalid:5432/slipway", /host of nobody\.invalid:5432 is not known/],
  [
    "a port on which nothing listens",
    "postgres://admin:hunter2@127.0.0.1:1/slipway",
    /nothing listens at 127\.0\.0\.1:1/,
  ],
])("%s is named, with the variable to correct, and the password stays unsaid", async (_, url, sentence) => {
  const service = await start({ SLIPWAY_DATABASE_URL: url });

  expect(await service.reason(sentence)).toContain("correct SLIPWAY_DATABASE_URL");
  expect(service.said()).not.toContain("hunter2");
  service.child.kill("SIGTERM");
  expect(await service.exited).toBe(0);
});

test("a database that nobody has prepared is named with what prepares it", async () => {
  const empty = await testDatabase([]);
  await giveToken();
  await givePassword(password);
  const url = new URL(empty.url("notification"));
  url.username = "";
  url.password = "";
  const service = await start({ ...prepared, SLIPWAY_DATABASE_URL: url.href });

  expect(await service.reason(/./)).toMatch(/slipway_notification may not use the database|no schema notification/);
  await service.child.kill("SIGKILL");
  await service.exited;
  await empty.close();
});

test("a variable may stand in a file; one that cannot be read, or is said twice, is named", async () => {
  await give("url", `${place.href}\n`);
  const twice = await start({
    ...prepared,
    SLIPWAY_DATABASE_URL_FILE: join(folder, "url"),
    SLIPWAY_DATABASE_URL: place.href,
    SLIPWAY_LOCK_URL_FILE: join(folder, "nowhere"),
  });

  expect(await twice.exited).toBe(1);
  expect(twice.said()).toMatch(/SLIPWAY_DATABASE_URL_FILE: SLIPWAY_DATABASE_URL is set as well/);
  expect(twice.said()).toMatch(/SLIPWAY_LOCK_URL_FILE: .*nowhere/);

  await giveToken();
  await givePassword(password);
  await prepare();
  const service = await start({ ...prepared, SLIPWAY_DATABASE_URL_FILE: join(folder, "url") });
  await service.ready();
});

describe("the doctor says of the database what readiness says", () => {
  const env = () => ({ SLIPWAY_DATA: folder, SLIPWAY_DATABASE_URL: place.href, ...prepared });
  const doctor = async () => (await checkBackends(env())).find(({ name }) => name === "database")?.problems;
  const asAdmin = async (...statements: readonly string[]) => {
    const db = openDb<Record<string, never>>({ url: database.adminUrl, schema: "public", max: 1 });
    for (const statement of statements) await sql.raw(statement).execute(db);
    await db.destroy();
  };

  test("where nothing is there: neither a token nor a password", async () => {
    expect(await doctor()).toEqual([
      expect.stringMatching(/tokens has no token of a service: mount there/),
      expect.stringMatching(/postgres has no password of a role: mount there/),
    ]);
  });

  test("where both a migration and the token are wrong, all at once", async () => {
    await giveToken();
    await givePassword(password);
    await prepare();
    expect(await doctor()).toEqual([]);

    await asAdmin("update access.token set revoked_at = now() where name = 'notification-service'");
    await asAdmin("create table kept as select * from notification.schema_migration where source = 'notification'");
    await asAdmin("delete from notification.schema_migration where source = 'notification'");

    const said = [
      expect.stringMatching(/schema notification lacks \d+ migrations: run `slipway-service prepare`/),
      expect.stringMatching(/token in .*tokens\/notification-service was revoked: make one anew/),
    ];
    expect(await doctor()).toEqual(said);
    const service = await start(env());
    const reason = await service.reason(/revoked/);
    expect([...((await doctor()) ?? [])].join("; ")).toBe(reason);

    await give("tokens/notification-service", "junk");
    expect(await doctor()).toEqual([expect.stringMatching(/notification-service holds no whole token/), said[0]]);
    await asAdmin("insert into notification.schema_migration select * from kept", "drop table kept");
    expect(await doctor()).toEqual([expect.stringMatching(/notification-service holds no whole token/)]);
  });

  test("where the administrator may not prepare it", async () => {
    await asAdmin("create role doctor_admin login password 'x'");
    await asAdmin(`grant connect on database ${place.pathname.slice(1)} to doctor_admin`);
    const url = new URL(place.href);
    [url.username, url.password] = ["doctor_admin", "x"];
    const admin = { SLIPWAY_DATA: folder, SLIPWAY_DATABASE_URL: url.href };

    // As `prepare` itself is told.
    const said = (await checkBackends({ ...admin, ...prepared }))[0]?.problems ?? [];
    expect((await checkBackends(admin))[0]?.problems).toEqual(said);
    expect(said.slice(0, 2)).toEqual([
      expect.stringMatching(/^doctor_admin may not make roles at .*`alter role doctor_admin createrole`/),
      expect.stringMatching(/^doctor_admin may not make schemas in the database .*owner to doctor_admin`/),
    ]);
    await expect(run("prepare", { ...admin, SLIPWAY_DATA: join(folder, "made") })).rejects.toThrow(/createrole/);
    await asAdmin(`revoke connect on database ${place.pathname.slice(1)} from doctor_admin`, "drop role doctor_admin");
  });
});

test("a second Slipway on the same Postgres server is refused, by the doctor and by `prepare`, and the first one goes on", async () => {
  const second = await testDatabase([]);
  const env = { SLIPWAY_DATA: join(folder, "second"), SLIPWAY_DATABASE_URL: second.adminUrl };
  await run("credentials", env);
  const says =
    /slipway_notification at .* have other passwords .* in use by the database .*: give this Slipway a Postgres server of its own/;

  expect((await checkBackends(env))[0]?.problems).toEqual([expect.stringMatching(says)]);
  await expect(run("prepare", env)).rejects.toThrow(says);

  await giveToken();
  await givePassword(password);
  await prepare();
  const first = await start({ ...prepared, SLIPWAY_DATABASE_URL: place.href });
  await first.ready();
  await second.close();
});
