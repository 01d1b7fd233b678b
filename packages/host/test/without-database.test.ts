import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@slipway/sql";
import { type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningHost, readConfig, runHost, type ServiceModule } from "../src/index.ts";
import { type Notes, notesModule } from "./example-module.ts";

let database: TestDatabase;
let dataDir: string;
beforeAll(async () => {
  database = await testDatabase(["bus", "access", "notification"]);
  dataDir = await mkdtemp(join(tmpdir(), "slipway-host-"));
});
afterAll(async () => {
  await database.close();
  await rm(dataDir, { recursive: true });
});

/** A host whose database cannot be reached while `away.now` is true. */
function start(module: ServiceModule, away: { now: boolean }): Promise<RunningHost> {
  const nowhere = `postgres://nobody:x@localhost/slipway?host=${encodeURIComponent(join(dataDir, "nowhere"))}`;
  return runHost({
    modules: [module],
    config: readConfig({ SLIPWAY_DATA: dataDir, SLIPWAY_PORT: "0" }, [module]),
    database: {
      adminUrl: () => (away.now ? nowhere : database.adminUrl),
      roleUrl: (role) => database.url(role.replace("slipway_", "")),
    },
    log: silentLogger,
    signals: false,
  });
}

const hardy = (notes: Notes): ServiceModule => ({ ...notes.module, startsWithoutDatabase: true });

test("a service that was never started has nothing to go on with: its start is refused", async () => {
  await expect(start(hardy(notesModule()), { now: true })).rejects.toThrow();
});

test("a service that needs the database is not started without it", async () => {
  await (await start(notesModule().module, { now: false })).stop();

  await expect(start(notesModule().module, { now: true })).rejects.toThrow();
});

test("a service that can do without starts, answers, and takes events once the database is there", async () => {
  await (await start(hardy(notesModule()), { now: false })).stop();
  const notes = notesModule();
  const away = { now: true };
  const host = await start(hardy(notes), away);
  try {
    expect(notes.context?.database.isReady()).toBe(false);
    expect((await fetch(`${host.url}/livez`)).status).toBe(200);
    expect(host.tokens.get(notes.module.name)).toMatch(/^slp_/);

    away.now = false;
    await notes.context?.database.ready;
    const { clock, bus } = notes.context as NonNullable<Notes["context"]>;
    const event = { specversion: "1.0", id: "e-1", source: "test", type: "note.made", subject: "n-1" } as const;
    const rest = { time: clock.now(), datacontenttype: "application/json", data: {} } as const;
    await bus.publish("slipway.note.v1", [{ ...event, ...rest }]);
    await until(() => notes.heard.includes("e-1"), { what: "the event" });
  } finally {
    await host.stop();
  }
});

test("one that stops before the database was there stops at once", async () => {
  const notes = notesModule();
  const host = await start(hardy(notes), { now: true });

  await host.stop();

  await expect(notes.context?.database.ready).rejects.toThrow(/the host stops/);
});
