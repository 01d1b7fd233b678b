import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@slipway/sql";
import { type RealKafka, realPart, startKafka, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig, runHost } from "../src/index.ts";
import { notesModule } from "./example-module.ts";

const part = realPart("kafka");
let database: TestDatabase;
let dataDir: string | undefined;
let kafka: RealKafka;
beforeAll(async () => {
  if (part === undefined) return;
  database = await testDatabase(["bus", "access", "notification"]);
  dataDir = await mkdtemp(join(tmpdir(), "slipway-host-"));
  kafka = await startKafka(part, { down: true });
});
afterAll(async () => {
  await kafka?.stop();
  await database?.close();
  if (dataDir !== undefined) await rm(dataDir, { recursive: true });
});

test.skipIf(part === undefined)(
  "a service starts without Kafka, says in readiness what to do, and takes events once it is there",
  async () => {
    const notes = notesModule();
    const modules = [notes.module];
    const host = await runHost({
      modules,
      config: readConfig({ SLIPWAY_DATA: dataDir, SLIPWAY_PORT: "0", SLIPWAY_BUS_URL: kafka.url }, modules),
      database: { adminUrl: database.adminUrl, roleUrl: (role) => database.url(role.replace("slipway_", "")) },
      log: silentLogger,
      signals: false,
    });
    try {
      const away = await fetch(`${host.url}/readyz`);
      expect(away.status).toBe(503);
      expect(await away.text()).toMatch(
        /Kafka does not answer at 127\.0\.0\.1:\d+ .*start it, or correct SLIPWAY_BUS_URL/,
      );
      expect((await fetch(`${host.url}/livez`)).status).toBe(200);

      await kafka.restart(0);
      await until(async () => (await fetch(`${host.url}/readyz`)).status === 200, {
        what: "readiness",
        timeoutMs: 60_000,
      });
      const { clock, bus } = notes.context as NonNullable<typeof notes.context>;
      const event = { specversion: "1.0", id: "e-1", source: "test", type: "note.made", subject: "n-1" } as const;
      const rest = { time: clock.now(), datacontenttype: "application/json", data: {} } as const;
      await bus.publish("slipway.note.v1", [{ ...event, ...rest }]);
      await until(() => notes.heard.includes("e-1"), { what: "the event", timeoutMs: 60_000 });
    } finally {
      await host.stop();
    }
  },
);
