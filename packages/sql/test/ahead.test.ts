import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ahead, type Db, openDb } from "../src/index.ts";

let database: TestDatabase;
let wire: Wire;
let db: Db<Record<never, never>>;
beforeEach(async () => {
  database = await testDatabase("deployment");
  const url = new URL(database.url("deployment"));
  wire = await startWire(join(url.searchParams.get("host") ?? "", `.s.PGSQL.${url.port || "5432"}`));
  url.search = "";
  url.host = `127.0.0.1:${wire.port}`;
  db = openDb({ url: url.href, schema: "deployment", max: 1 });
});
afterEach(async () => {
  await db?.destroy();
  await wire?.stop();
  await database?.close();
});

const target = (region: string) =>
  sql`insert into target (service, environment, region, epoch) values ('orders', 'prod', ${region}, 1) returning region`;
const regions = async () =>
  (await sql<{ region: string }>`select region from target order by region`.execute(db)).rows.map(
    ({ region }) => region,
  );

test("a transaction begins together with its first statement: two turns for what are three messages", async () => {
  await regions();
  const before = wire.turns();

  await db.transaction().execute((tx) => target("east").execute(tx));

  expect(wire.turns() - before).toBe(2);
  expect(await regions()).toEqual(["east"]);
});

test("what goes ahead of a commit gives its rows with it", async () => {
  await regions();
  const before = wire.turns();

  const rows = await db.connection().execute(async (one) => {
    await sql`begin`.execute(one);
    await sql`${ahead} ${target("east")}`.execute(one);
    return (await sql<{ region: string }>`commit`.execute(one)).rows;
  });

  expect(wire.turns() - before).toBe(1);
  expect(rows).toEqual([{ region: "east" }]);
  expect(await regions()).toEqual(["east"]);
});

test("what comes behind it in a transaction answers for itself alone", async () => {
  const answer = await db.transaction().execute(async (tx) => {
    await sql`${ahead} select pg_notify('somewhere', '')`.execute(tx);
    return await sql`delete from target`.execute(tx);
  });

  expect(answer).toEqual({ numAffectedRows: 0n, rows: [] });
});

test("what fails ahead of a commit is the commit's error, nothing is committed, and the connection is as good as before", async () => {
  const pids: (number | undefined)[] = [];
  const broken = db.connection().execute(async (one) => {
    pids.push(await pidOf(one));
    await sql`begin`.execute(one);
    await target("east").execute(one);
    await sql`${ahead} ${target("east")}`.execute(one);
    await sql`commit`.execute(one);
  });

  await expect(broken).rejects.toThrow(/duplicate key/);
  expect(await regions()).toEqual([]);
  expect(pids).toEqual([await pidOf(db)]);
});

test("a connection that is given back with something still under way is not used again", async () => {
  const first = await db.connection().execute(async (one) => {
    const pid = await pidOf(one);
    await sql`begin`.execute(one);
    return pid;
  });

  expect(await pidOf(db)).not.toBe(first);
});

async function pidOf(one: Db<Record<never, never>>): Promise<number | undefined> {
  return (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(one)).rows[0]?.pid;
}

type Wire = { readonly port: number; turns(): number; stop(): Promise<void> };

/** Counts the client's turns: how often it says something after it was answered. Each answer waits a little, so that what goes together comes together. */
async function startWire(path: string): Promise<Wire> {
  let turns = 0;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    let answered = true;
    const far = connect({ path });
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {}).once("close", () => [near, far].forEach((one) => void one.destroy()));
    }
    near.on("data", (piece) => {
      if (answered) turns += 1;
      answered = false;
      far.write(piece);
    });
    far.on("data", (piece) =>
      setTimeout(() => {
        answered = true;
        near.write(piece);
      }, 20),
    );
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    turns: () => turns,
    async stop() {
      for (const socket of open) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
