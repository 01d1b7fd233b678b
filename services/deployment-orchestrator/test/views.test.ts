import { memoryCache } from "@slipway/cache";
import type { Client } from "@slipway/client";
import { type DeploymentView, getWatch } from "@slipway/contracts";
import { type DeploymentId, type Instant, instant } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Plan } from "../src/domain/deployment.ts";
import type { Intent } from "../src/domain/input.ts";
import { intend } from "../src/intents.ts";
import { keptViews } from "../src/kept-views.ts";
import { statusNow, viewNow } from "../src/views.ts";
import { gitSha, type OrchestratorHost, startHost } from "./support/host.ts";
import { type Orchestrator, openPlace, startOrchestrator } from "./support/orchestrator.ts";

const hourMs = 3_600_000;
const staying: Partial<Plan> = {
  steps: [
    { weightPercent: 5, bakeMs: 600_000 },
    { weightPercent: 100, bakeMs: 0 },
  ],
};
const ada = { name: "ada", roles: ["deployer", "approver"] } as const;
const now = () => instant(Date.now());

describe("views of a deployment", () => {
  let orchestrator: Orchestrator;
  beforeEach(async () => {
    orchestrator = await startOrchestrator(await openPlace("ab"));
  });
  afterEach(() => orchestrator.close());

  async function baking(): Promise<DeploymentId> {
    const id = (await orchestrator.deploy(staying)) as DeploymentId;
    await orchestrator.reaches(id, "baking");
    return id;
  }

  test("are asked for once by all who read at the same time, and by who reads next not at all", async () => {
    const id = await baking();
    let asked = 0;
    const client = {
      call: async (...args: Parameters<Client["call"]>) => {
        if (args[0] === getWatch) asked += 1;
        return orchestrator.watch.client.call(...args);
      },
    } as Client;
    const service = { ...orchestrator.service, client };
    const views = keptViews(memoryCache({ keepMs: hourMs }));

    const all = await Promise.all(
      Array.from({ length: 50 }, () => views.status(id, () => statusNow(service, id, now()))),
    );
    const next = await views.status(id, () => statusNow(service, id, now()));

    expect(asked).toBe(1);
    for (const one of [...all, next]) expect(one).toEqual(all[0]);
    expect(next).toMatchObject({ deployment_id: id, status: "CANARY_MONITORING", weight_percent: 5 });
  });

  test("are of after a person's deed for whoever was told of it, through whatever process they are read", async () => {
    const id = await baking();
    // Nothing ends by itself here: what nobody forgets stays.
    const cache = memoryCache({ keepMs: hourMs });
    const [here, elsewhere] = [keptViews(cache), keptViews(cache)];
    const service = { ...orchestrator.service, views: here };
    const look = async () => [
      (await here.status(id, () => statusNow(service, id, now()))).status,
      (await elsewhere.view(id, () => viewNow(service, id))).status,
    ];
    expect(await look()).toEqual(["CANARY_MONITORING", "CANARY_MONITORING"]);

    const deeds: readonly (readonly [(at: Instant) => Intent, RegExp])[] = [
      [(at) => ({ type: "Halt", by: "ada", reason: "lunch", now: at }), /^HELD$/],
      [(at) => ({ type: "Resume", by: "ada", now: at }), /^CANARY_MONITORING$/],
      [(at) => ({ type: "Rollback", by: "ada", reason: "enough", now: at }), /^ROLL(ING_|ED_)BACK$/],
    ];
    for (const [deed, status] of deeds) {
      expect(await intend(service, id, ada, deed)).not.toHaveProperty("kind");

      for (const seen of await look()) expect(seen).toMatch(status);
    }
  });

  test("follow what happens by itself: each phase, and why one lasts, also while no watch tells anything", async () => {
    const { service } = orchestrator;
    const away = orchestrator.cluster("b");
    away.away = true;
    const id = (await orchestrator.deploy(staying)) as DeploymentId;
    const seen = (what: string, is: (view: DeploymentView) => boolean) =>
      until(async () => is(await service.views.view(id, () => viewNow(service, id))), { what, timeoutMs: 60_000 });

    await seen("the fence to be waited for", ({ phase }) => phase === "opening");
    await seen("why", ({ regions }) => /OpenFence, attempt \d+: .*it is away/.test(regions.b?.reason ?? ""));
    away.away = false;
    await seen("it to go on", ({ phase }) => phase === "baking");
  });

  test("of no deployment are not kept, and what lies in the cache in their place is not believed", async () => {
    const cache = memoryCache({ keepMs: hourMs });
    const views = keptViews(cache);
    const { service } = orchestrator;
    const none = "D-1" as DeploymentId;
    await expect(views.view(none, () => viewNow(service, none))).rejects.toMatchObject({
      code: "deployment.not_found",
    });

    const id = await baking();
    expect(id).toBe(none);
    const { edition } = (await cache.look(id, "status"))!;
    for (const wrong of ["no json", "null", '{"deployment_id":"D-1","status":"SAILING"}']) {
      await cache.keep(id, edition, "status", wrong);
      expect((await views.status(id, () => statusNow(service, id, now()))).status).toBe("CANARY_MONITORING");
    }
  });
});

describe("a view that is kept", () => {
  let platform: OrchestratorHost;
  beforeAll(async () => {
    platform = await startHost();
  });
  afterAll(() => platform.close());

  test("goes out to nobody who may not read it", async () => {
    const body = { service: "orders", version: gitSha, strategy: "canary", environment: "dev", confirm_initial: true };
    const accepted = await platform.fetch("/api/v1/deployments", { method: "POST", as: "deployer", body });
    const { deployment_id: id } = (await accepted.json()) as { deployment_id: string };
    for (const path of [`/api/v1/deployments/${id}`, `/api/v1/deployments/${id}/status`]) {
      const kept = await platform.fetch(path);
      expect(kept.status).toBe(200);

      const { url } = platform.host;
      const strangers = [{}, { authorization: "Bearer slp_none_of_ours" }];
      const answers = await Promise.all(strangers.map((headers) => fetch(`${url}${path}`, { headers })));

      expect(answers.map(({ status }) => status)).toEqual([401, 401]);
      for (const answer of answers) expect(await answer.text()).not.toContain(id);
    }
  });
});
