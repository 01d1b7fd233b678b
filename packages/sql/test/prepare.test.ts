import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { migrate, prepareProblems, silentLogger } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

const migrations = join(import.meta.dirname, "../../../migrations");
const foldersOf = (schema: string) =>
  (schema === "bus" || schema === "access" ? [schema] : ["durable", schema]).map((name) => join(migrations, name));

let database: TestDatabase;
/** Of another Slipway on the same server, not prepared yet. */
let other: TestDatabase;
beforeAll(async () => {
  database = await testDatabase(["bus", "access", "prep"]);
  other = await testDatabase([]);
});
afterAll(async () => {
  await database.close();
  await other.close();
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const prepare = (schema: string, adminUrl: string, roleUrl: string) =>
  migrate({ adminUrl, roleUrl, schema, directories: foldersOf(schema), log: silentLogger });

const withPassword = (url: string, password: string): string => {
  const changed = new URL(url);
  changed.password = password;
  return changed.href;
};
const inDatabase = (url: string, of: string): string => {
  const changed = new URL(url);
  changed.pathname = new URL(of).pathname;
  return changed.href;
};
const nameOf = (url: string) => new URL(url).pathname.slice(1);

describe("a database that was restored without its rights", () => {
  const own = ["bus", "access", "prep"];

  beforeAll(async () => {
    // As after `pg_restore --no-owner --no-acl`: everything is the administrator's, and nobody else has any right.
    for (const schema of own) {
      for (const role of [`slipway_${schema}`, "slipway_service"])
        await query(
          database.adminUrl,
          `revoke all on all tables in schema ${schema} from ${role};
           revoke all on all sequences in schema ${schema} from ${role};
           revoke all on all functions in schema ${schema} from ${role};
           revoke all on schema ${schema} from ${role};
           alter default privileges in schema ${schema} revoke all on tables from ${role};
           alter default privileges in schema ${schema} revoke all on sequences from ${role};
           revoke all on database ${nameOf(database.adminUrl)} from ${role}`,
        );
      await query(database.adminUrl, `grant execute on all functions in schema ${schema} to public`);
    }
    await expect(query(database.url("prep"), "select * from prep.machine")).rejects.toMatchObject({ code: "42501" });

    for (const schema of own) await prepare(schema, database.adminUrl, database.url(schema));
  });

  test("is a service's own again once it was prepared", async () => {
    const url = database.url("prep");

    await query(url, "insert into prep.inbox (consumer, event_id) values ('c', 'e')");
    expect(await query(url, "select consumer from prep.inbox")).toEqual([{ consumer: "c" }]);
    expect(await query(url, "select * from access.token")).toEqual([]);
    expect(await query(url, "select bus.forget(0, 1) as gone")).toEqual([{ gone: 0 }]);
  });

  test.each([
    "update prep.audit set actor = 'nobody'",
    "delete from prep.audit",
    "insert into access.token (kid, name, roles, hash) values ('abcdefghijkl', 'me', '{admin}', sha256('x'))",
    "delete from bus.event",
  ])("keeps from it what was kept before: %s", async (text) => {
    await expect(query(database.url("prep"), text)).rejects.toMatchObject({ code: "42501" });
  });

  test("lets nobody call the log's functions who is no service", async () => {
    const [row] = await query(
      database.adminUrl,
      `select count(*)::int as n from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) let
       where pronamespace = 'bus'::regnamespace and let.grantee = 0`,
    );

    expect(row).toEqual({ n: 0 });
  });

  test("gives the rights on what a later migration makes, too", async () => {
    await query(database.adminUrl, "create table prep.later (x int)");

    expect(await query(database.url("prep"), "select * from prep.later")).toEqual([]);
  });
});

describe("roles that another database of the server has", () => {
  test("keep their passwords, and who brings other credentials is told", async () => {
    const theirs = database.url("prep");
    const ours = withPassword(inDatabase(theirs, other.adminUrl), "another-password");
    const says = new RegExp(
      `slipway_prep at .* have other passwords .*in use by the database .*${nameOf(theirs)}.*: give this Slipway a Postgres server of its own`,
    );

    await expect(prepare("prep", other.adminUrl, ours)).rejects.toThrow(says);
    const asked = { url: other.adminUrl, urlIn: "SLIPWAY_DATABASE_URL", passwordIn: "a file" };
    expect(await prepareProblems({ ...asked, schemas: [{ schema: "prep", roleUrl: ours }] })).toEqual([
      expect.stringMatching(says),
    ]);

    expect(await query(theirs, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("are shared with whoever has the same credentials", async () => {
    const ours = inDatabase(database.url("prep"), other.adminUrl);

    await prepare("prep", other.adminUrl, ours);

    expect(await query(ours, "select * from prep.machine")).toEqual([]);
  });

  test("are shared, too, where the other one's preparing gives them their password at that moment", async () => {
    await query(database.adminUrl, "create role slipway_prep_both login");
    const theirs = database.url("prep_both");
    const { query: ask } = pg.Client.prototype;
    vi.spyOn(pg.Client.prototype, "query").mockImplementation(async function (this: pg.Client, ...asked: unknown[]) {
      // It was seen to have another password, and comes to be in use.
      if (String(asked[0]).includes("aclexplode(datacl)")) {
        vi.restoreAllMocks();
        await prepare("prep_both", database.adminUrl, theirs);
      }
      return Reflect.apply(ask, this, asked);
    } as never);

    const asked = { url: other.adminUrl, urlIn: "SLIPWAY_DATABASE_URL", passwordIn: "a file" };
    const schemas = [{ schema: "prep_both", roleUrl: inDatabase(theirs, other.adminUrl) }];
    expect(await prepareProblems({ ...asked, schemas })).toEqual([]);
  });

  test("have the password that is wanted where no other database lets them in, as after it was renamed", async () => {
    const url = (password: string) =>
      withPassword(other.url("prep_alone"), password).replace(nameOf(database.adminUrl), nameOf(other.adminUrl));
    await prepare("prep_alone", other.adminUrl, url("first"));

    await prepare("prep_alone", other.adminUrl, url("second"));

    expect(await query(url("second"), "select 1 as one")).toEqual([{ one: 1 }]);
    await expect(query(url("first"), "select 1")).rejects.toMatchObject({ code: "28P01" });
  });
});

describe("an administrator", () => {
  const made: string[] = [];
  afterEach(async () => {
    for (const drop of made.splice(0).reverse()) await query(other.adminUrl, drop);
  });

  async function admin(rights: string, of = other.adminUrl): Promise<{ name: string; url: string }> {
    const name = `prep_admin_${randomBytes(3).toString("hex")}`;
    await query(database.adminUrl, `create role ${name} login password 'x' ${rights}`);
    await query(database.adminUrl, `grant connect on database ${nameOf(of)} to ${name}`);
    made.push(`drop role ${name}`, `revoke connect on database ${nameOf(of)} from ${name}`);
    const url = new URL(of);
    [url.username, url.password] = [name, "x"];
    return { name, url: url.href };
  }

  const problems = (url: string, schema: string, roleUrl?: string) =>
    prepareProblems({
      ...{ url, urlIn: "SLIPWAY_DATABASE_URL", passwordIn: "a file" },
      schemas: [{ schema, roleUrl }],
    });

  async function owning(name: string): Promise<void> {
    await query(database.adminUrl, `alter database ${nameOf(other.adminUrl)} owner to ${name}`);
    made.push(`alter database ${nameOf(other.adminUrl)} owner to slipway_admin`);
  }

  test("without CREATEROLE and on a database of another is told both, with what to run", async () => {
    const { name, url } = await admin("nocreaterole");

    expect(await problems(url, "prep_new")).toEqual([
      expect.stringMatching(`^${name} may not make roles at .*: as a superuser .*\`alter role ${name} createrole\``),
      expect.stringMatching(`^${name} may not make schemas in the database .*: .*owner to ${name}\``),
    ]);
  });

  test("with both prepares, and prepares again, without being a superuser, once it may change what others made", async () => {
    const { name, url } = await admin("createrole");
    await owning(name);
    const roleUrl = withPassword(url, "of-the-role").replace(name, "slipway_prep_own");
    expect(await problems(url, "prep_own", roleUrl)).toEqual([
      expect.stringMatching(
        `^${name} may not change slipway_service at .* run .grant slipway_service to ${name} with admin option`,
      ),
    ]);
    await query(other.adminUrl, `grant slipway_service to ${name} with admin option`);
    made.push("drop role slipway_prep_own", `drop owned by ${name} cascade`, "drop owned by slipway_prep_own");

    expect(await problems(url, "prep_own", roleUrl)).toEqual([]);
    await prepare("prep_own", url, roleUrl);
    expect(await problems(url, "prep_own", roleUrl)).toEqual([]);
    await prepare("prep_own", url, roleUrl);

    // Of somebody else, who looks into the schema by it.
    await query(other.adminUrl, "create view prep_own.foreign_view as select 1 as one");
    await prepare("prep_own", url, roleUrl);
    expect(await query(roleUrl, "select * from prep_own.machine")).toEqual([]);
    await query(other.adminUrl, "drop view prep_own.foreign_view");
  });

  test("is told of what somebody else has restored", async () => {
    const { name, url } = await admin("createrole");
    await owning(name);
    await query(other.adminUrl, `grant slipway_service to ${name} with admin option`);
    await query(other.adminUrl, "create schema prep_foreign; create table prep_foreign.schema_migration ()");

    expect(await problems(url, "prep_foreign")).toEqual([
      expect.stringMatching(
        `what is in the schema prep_foreign belongs to slipway_admin, not to ${name}: restore it with .*--role=${name}`,
      ),
    ]);
    await query(other.adminUrl, "drop schema prep_foreign cascade");
  });
});
