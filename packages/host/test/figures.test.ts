import { sql } from "kysely";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Figure, measureFigures, shared, tally } from "../src/figures.ts";
import { type Example, startNotes } from "./start-notes.ts";

let example: Example;
beforeAll(async () => {
  example = await startNotes();
});
afterAll(() => example.close());

const about = { name: "slipway_notes", help: "Notes", kind: "gauge", labels: ["colour"] } as const;
const scraped = async (...figures: readonly Figure[]) => {
  const registry = new Registry();
  measureFigures({ registry }, figures);
  return () => registry.metrics();
};

test("a gauge says what is so at the scrape, and nothing of what is no more", async () => {
  let colours = ["red", "blue"];
  const scrape = await scraped({
    ...about,
    read: async () => colours.map((colour) => ({ labels: { colour }, value: 2 })),
  });
  expect(await scrape()).toContain('slipway_notes{colour="red"} 2');
  colours = ["blue"];

  expect(await scrape()).not.toContain("red");
});

test("what cannot be read is absent, and keeps nothing else from being told", async () => {
  const broken: Figure = { ...about, name: "slipway_broken", read: () => Promise.reject(new Error("away")) };
  const hanging: Figure = { ...about, name: "slipway_hanging", read: () => new Promise(() => undefined) };
  const well: Figure = { ...about, read: () => [{ labels: { colour: "red" }, value: 1 }] };

  const page = await (await scraped(broken, hanging, well))();

  expect(page).toContain('slipway_notes{colour="red"} 1');
  expect(page).not.toMatch(/^slipway_(broken|hanging)\{/m);
});

test("a counter begins at 0 for what is known beforehand, and takes what comes", async () => {
  const notes = tally({ name: "slipway_notes_total", help: "Notes", labels: ["colour"] }, [{ colour: "red" }]);
  const scrape = await scraped(notes.figure);
  expect(await scrape()).toContain('slipway_notes_total{colour="red"} 0');
  notes.add({ colour: "red" });
  notes.add({ colour: "blue" });
  notes.add({ colour: "red" });

  expect(await scrape()).toContain('slipway_notes_total{colour="red"} 2\nslipway_notes_total{colour="blue"} 1');
  expect(await scrape()).toContain("# TYPE slipway_notes_total counter");
});

test("figures of one scrape share one reading", async () => {
  let readings = 0;
  const look = shared(async () => {
    readings += 1;
    return [{ labels: { colour: "red" }, value: readings }];
  });
  const scrape = await scraped({ ...about, read: look }, { ...about, name: "slipway_more_notes", read: look });

  await scrape();
  expect(readings).toBe(1);
  await scrape();
  expect(readings).toBe(2);
});

test("events that the bus does not have yet are counted, with the age of the oldest", async () => {
  const db = example.database.db<unknown>("notification");
  await sql`insert into machine (kind, id, phase, state, version, generation, created_at, updated_at)
    values ('note', 'n-1', 'open', '{}', 1, 1, now(), now())`.execute(db);
  await sql`insert into command (kind, id, lane, generation, survives, timer, payload, run_after, created_at)
    values ('note', 'n-1', 'publish', 1, true, false, '{"type":"Publish"}', now() + interval '1 hour', now() - interval '100 s'),
      ('note', 'n-1', 'other', 1, true, false, '{"type":"RaiseWeight"}', now() + interval '1 hour', now() - interval '900 s')`.execute(
    db,
  );

  const page = await (await example.fetch("/metrics", { as: null })).text();

  expect(page).toContain('slipway_events_unpublished{service="notification-service"} 1');
  const age = Number(/slipway_events_oldest_unpublished_seconds\{[^}]*\} (\S+)/.exec(page)?.[1]);
  expect(age).toBeGreaterThanOrEqual(100);
  expect(age).toBeLessThan(200);
});
