import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { postgresBus } from "@slipway/bus";
import { type WatchRequest, type WatchView, watchTopic } from "@slipway/contracts";
import { silentLogger } from "@slipway/sql";
import { type StagedCanary, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type PlatformApart, preparePlatform, type Replica } from "./platform-apart.ts";
import { regionName, type WatchedRegion, watchedRegion } from "./watched-region.ts";

/** docs/guides/operating.md says five seconds, of machines that have time for it. */
const unwatchedAtMostMs = 15_000;

/** Processes of one service, each on a disk of its own, with one database and one region. */
describe("two rollback-controllers", () => {
  let platform: PlatformApart;
  let region: WatchedRegion;
  let token: string;
  let controllers: Replica[] = [];
  let number = 0;

  beforeAll(async () => {
    platform = await preparePlatform();
    region = await watchedRegion(platform.folder);
    const tokens = join(platform.dataOf("deployment-orchestrator"), "tokens");
    token = (await readFile(join(tokens, "deployment-orchestrator"), "utf8")).trim();
  });
  afterAll(async () => {
    await platform?.stop();
    await region?.stop();
  });
  beforeEach(async () => {
    controllers = await Promise.all([startController(), startController()]);
  });
  afterEach(async () => {
    await Promise.all(controllers.map((controller) => controller.end("SIGKILL")));
  });

  test("share the watches: each has those that it was asked for, and each tells of all", async () => {
    const [one, other] = controllers as [Replica, Replica];
    const [a, b] = [await canary(), await canary()];

    await put(one, a);
    await put(other, b);

    expect(await keeperOf(a)).not.toBe(await keeperOf(b));
    for (const controller of controllers) {
      await until(async () => (await shown(controller, a)).last_look_at !== null, { what: `${a.id} to be told` });
      await until(async () => (await shown(controller, b)).last_look_at !== null, { what: `${b.id} to be told` });
    }
  });

  test("hand a watch over when the other one is asked to move it, and what was seen goes with it", async () => {
    const [one, other] = controllers as [Replica, Replica];
    const watched = await canary();
    await put(one, watched);
    await until(async () => countOf(await shown(one, watched)) >= 200, { what: "some requests" });
    await until(async () => countOf(await shown(other, watched)) >= 200, { what: "them to be stored" });
    const before = await keeperOf(watched);

    const moved = await put(other, watched, { step: 1, weight_percent: 25 });

    expect(countOf(moved)).toBeGreaterThanOrEqual(200);
    expect(await keeperOf(watched)).not.toBe(before);
    await until(async () => (await shown(one, watched)).step === 1, { what: "the first one to tell it, too" });
  });

  test("take over what one had that is killed while its canaries turn bad, and take them back", async () => {
    const [one, other] = controllers as [Replica, Replica];
    const watched = [await canary(), await canary(), await canary()];
    for (const each of watched) await put(one, each);
    for (const each of watched)
      await until(async () => countOf(await shown(other, each)) > 0, { what: "looks to be stored" });

    for (const { environment } of watched) region.goBad(environment);
    const killedAt = Date.now();
    await one.end("SIGKILL");

    expect(await longestUnwatched(other, watched, killedAt)).toBeLessThan(unwatchedAtMostMs);
    for (const each of watched) expect(await told(each, "watch.failed")).toBe(1);
  });

  test("take over from one that hangs, and when it goes on it writes nothing a second time", async () => {
    const [one, other] = controllers as [Replica, Replica];
    const watched = await canary();
    await put(one, watched);
    await until(async () => countOf(await shown(other, watched)) > 0, { what: "looks to be stored" });
    const before = await region.fence(watched.staged);

    region.goBad(watched.environment);
    const stoppedAt = Date.now();
    process.kill(one.pid, "SIGSTOP");
    expect(await longestUnwatched(other, [watched], stoppedAt)).toBeLessThan(unwatchedAtMostMs);
    process.kill(one.pid, "SIGCONT");

    // It has come to itself once it tells what the other one saw since then.
    const resumed = new Date().toISOString();
    await until(async () => ((await shown(one, watched)).last_look_at ?? "") > resumed, { what: "it to have let go" });
    expect(await shown(one, watched)).toMatchObject({ state: "failed" });
    expect(await region.fence(watched.staged)).toMatchObject({ gate: "shut", seq: (before?.seq ?? 0) + 1 });
    for (const type of ["watch.failed", "watch.shut_confirmed"]) expect(await told(watched, type)).toBe(1);
    expect(one.said()).not.toContain('"level":50');
  });

  test("give back what they have when they are ended in order, and the other one goes on at once", async () => {
    const [one, other] = controllers as [Replica, Replica];
    const watched = await canary();
    await put(one, watched);
    const before = await keeperOf(watched);

    expect(await one.end("SIGTERM")).toBe(0);
    controllers = [other];

    const ended = new Date().toISOString();
    await until(async () => ((await shown(other, watched)).last_look_at ?? "") > ended, {
      what: "the other one to look",
    });
    expect(await keeperOf(watched)).not.toBe(before);
  });

  type Watched = { readonly id: string; readonly environment: string; readonly staged: StagedCanary };

  async function startController(): Promise<Replica> {
    const controller = await platform.start("rollback-controller", { SLIPWAY_REGIONS: region.file });
    const ready = async () => (await fetch(`${controller.url}/readyz`)).status === 200;
    await until(ready, { what: "a controller that is ready" });
    return controller;
  }

  async function canary(): Promise<Watched> {
    number += 1;
    const environment = `env-${number}`;
    return { id: `D-${number}`, environment, staged: await region.stage(environment) };
  }

  async function put(to: Replica, { id, staged }: Watched, change: Partial<WatchRequest> = {}): Promise<WatchView> {
    const { target, canary: version, baseline } = staged;
    const spec: WatchRequest = {
      ...{ ...target, version, mode: "canary", step: 0, weight_percent: 5 },
      ...{ baselines: { [regionName]: baseline }, epochs: { [regionName]: 2 }, ...change },
    };
    return await ask(to, "PUT", id, spec);
  }

  const shown = (by: Replica, { id }: Watched): Promise<WatchView> => ask(by, "GET", id);

  async function ask(controller: Replica, method: string, id: string, body?: object): Promise<WatchView> {
    const answer = await fetch(`${controller.url}/api/v1/watches/${id}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${id}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as WatchView;
  }

  const countOf = ({ regions }: WatchView) => regions[regionName]?.counts.canary_requests ?? 0;

  /** Until each has no weight any more: for how long, from `since` on, any of them was looked at by nobody, in ms. */
  async function longestUnwatched(by: Replica, watched: readonly Watched[], since: number): Promise<number> {
    let longest = 0;
    const areShut = async () => {
      const views = await Promise.all(watched.map((each) => shown(by, each)));
      for (const { last_look_at } of views)
        longest = Math.max(longest, Date.now() - Math.max(since, last_look_at === null ? 0 : Date.parse(last_look_at)));
      const fences = await Promise.all(watched.map(({ staged }) => region.fence(staged)));
      return (
        fences.every((fence) => fence?.gate === "shut") && views.every((view) => view.regions[regionName]?.shut_at)
      );
    };
    await until(areShut, { what: "the fences to be shut" });
    return longest;
  }

  async function keeperOf({ id }: Watched): Promise<string | undefined> {
    const { rows } = await sql<{ holder: string }>`select holder from keeper where watch_id = ${id}`.execute(
      platform.database.db<never>("rollback"),
    );
    return rows[0]?.holder;
  }

  async function told({ id }: Watched, type: string): Promise<number> {
    const bus = postgresBus({ url: platform.database.url("bus"), log: silentLogger });
    try {
      const count = async () => {
        const { events } = await bus.read(watchTopic.name, 0, 500);
        return events.filter((event) => event.subject === id && event.type === type).length;
      };
      await until(async () => (await count()) > 0, { what: `${type} of ${id}` });
      return await count();
    } finally {
      await bus.close();
    }
  }
});
