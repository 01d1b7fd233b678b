import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PlatformService } from "@slipway/client";
import { approveDeployment, promoteDeployment, rollbackDeployment } from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Canaries, canariesOf } from "./canaries.ts";
import type { OneRegion } from "./one-region.ts";
import type { PlatformApart, Replica } from "./platform-apart.ts";
import { type SteadyRequests, steadyRequests } from "./steady-requests.ts";

const prod = "prod";

/** The section `deploy` of the shop's slipway.yaml: a canary stays at 5% until a person or a FAIL ends that, and what serves is soon verified. */
export const patient = "deploy: { steps: [{ weight: 5, bake: 10m }, { weight: 100 }], verify_after: 1s }\n";
/** Of the orchestrator: the file says how long a bake is. */
export const quick = { SLIPWAY_MINIMUM_BAKE: "0s", SLIPWAY_SETTLE_MS: "200" };

export type Apart = {
  readonly platform: PlatformApart;
  readonly region: OneRegion;
  /** Undefined: the platform's Postgres. */
  readonly busUrl: string | undefined;
  /** Commits that were built, by what they answer. */
  readonly good: { readonly sha: string };
  readonly bad: { readonly sha: string; readonly answer: string };
  replicasOf(service: PlatformService): readonly Replica[];
  /** One more of them, at this address or one of its own. */
  start(service: PlatformService, url?: string): Promise<Replica>;
  kill(replica: Replica): Promise<void>;
  /** The process that has a command of this deployment in its hands. */
  workingOn(id: DeploymentId): Promise<Replica | undefined>;
};

/** A canary in production that turns bad, one that a person takes back, one that is proven and taken back later, and all of it with processes that are killed meanwhile. */
export function canariesApart(stage: () => Apart): void {
  let apart: Apart;
  let canaries: Canaries;
  let requests: SteadyRequests;
  beforeAll(async () => {
    apart = stage();
    canaries = canariesOf(apart.platform, apart.busUrl);
    await Promise.all([secondOf("deployment-orchestrator"), secondOf("rollback-controller")]);
  });
  afterAll(async () => {
    await requests?.stop();
    await canaries?.close();
  });

  test("a first version comes to production by the word of an approver, and is verified", async () => {
    for (const { sha } of [apart.good, apart.bad]) await canaries.promote(sha);

    await isVerified(await canaries.deploy(apart.good.sha, prod, true));

    requests = steadyRequests(apart.region.meshUrl, prod);
  });

  test("a canary that turns bad is taken back by itself, with the evidence, and the old version serves", async () => {
    const begun = await canaries.begin(apart.bad.sha, prod, requests);
    const { deployment_id: id, version } = begun;

    requests.turnBad(apart.bad.answer);
    const ended = await canaries.expectTakenBack(begun, requests);
    requests.turnBad(undefined);

    const gate = ended.gates.at(-1);
    expect(gate).toMatchObject({ verdict: "FAIL", weight_percent: 5 });
    expect(gate?.counts.canary_errors).toBeGreaterThan(0);
    expect(gate?.counts.canary_errors).toBeLessThanOrEqual(requests.failed[version] ?? 0);
    expect(ended.reason).toBe(gate?.sentence);
    expect(await canaries.told(id)).toMatchObject({ "watch.failed": 1, "watch.shut_confirmed": 1 });
    expect(await noticesTo(id, "Taken back")).toEqual(["Bad deployment caught at 5%", "Taken back"]);
    expect(await canaries.audited(id)).toMatchObject([
      { actor: "approver", action: "deployment.requested" },
      { actor: "rollback-controller", action: "deployment.rollback", detail: { verdict: "FAIL", version } },
    ]);
  });

  test("a canary that a person takes back is out of traffic, and who wanted it is kept", async () => {
    const begun = await canaries.begin(apart.bad.sha, prod, requests);
    const { deployment_id: id } = begun;

    await apart.platform.client("deployer").call(rollbackDeployment, { params: { id }, body: { reason: "not today" } });
    const ended = await canaries.expectTakenBack(begun, requests);

    expect(ended.reason).toContain("not today");
    expect(Object.keys(await canaries.told(id))).not.toContain("watch.failed");
    expect(await canaries.audited(id)).toMatchObject([
      { actor: "approver", action: "deployment.requested" },
      { actor: "deployer", action: "deployment.rollback", detail: { reason: "not today" } },
    ]);
  });

  test("a version that was verified is taken back later by a deployment of its own", async () => {
    const { deployment_id: id, version, regions } = await canaries.begin(apart.bad.sha, prod, requests);
    const baseline = String(regions["us-east-1"]?.baseline);
    await apart.platform.client("admin").call(approveDeployment, { params: { id }, body: { reason: "seen it" } });
    await apart.platform.client("deployer").call(promoteDeployment, { params: { id }, body: { expected_step: 0 } });
    await isVerified(id);
    await isServedAlone(version);

    const { deployment_id: way } = await apart.platform
      .client("deployer")
      .call(rollbackDeployment, { params: { id }, body: { reason: "after all" } });
    const ended = await canaries.comesTo(way, "SUCCEEDED");

    expect(ended).toMatchObject({ rolls_back: id, strategy: "rollback", version: baseline });
    await isServedAlone(baseline);
    expect(requests.failed.nobody).toBeUndefined();
    const told = await canaries.told(way);
    for (const type of ["accepted", "granted", "succeeded"])
      expect([type, told[`deployment.${type}`]]).toEqual([type, 1]);
  });

  test("of two of each, the rollback-controller that watches and the orchestrator that works are killed while a canary turns bad: it is taken back all the same, and nothing is done twice", async () => {
    const begun = await canaries.begin(apart.bad.sha, prod, requests);
    const { deployment_id: id } = begun;

    requests.turnBad(apart.bad.answer);
    await apart.kill(await watching(id));
    const worker = await until(async () => ((await isRestoring(id)) ? await apart.workingOn(id) : undefined), {
      what: `an orchestrator that takes ${id} back`,
    });
    await apart.kill(worker);

    const [left] = apart.replicasOf("deployment-orchestrator");
    const ended = await canaries.expectTakenBack(begun, requests, left?.url);
    requests.turnBad(undefined);
    expect(ended.gates.at(-1)).toMatchObject({ verdict: "FAIL", weight_percent: 5 });
    expect(await canaries.told(id)).toMatchObject({ "watch.failed": 1, "watch.shut_confirmed": 1 });
    expect(await noticesTo(id, "Taken back")).toEqual(["Bad deployment caught at 5%", "Taken back"]);
  });

  async function isVerified(id: DeploymentId): Promise<void> {
    await canaries.comesTo(id, "SUCCEEDED");
    const told = async () => (await canaries.told(id))["deployment.verified"];
    await until(told, { what: `${id} to be verified` });
  }

  async function isServedAlone(version: string): Promise<void> {
    let before = { ...requests.served };
    const alone = () => {
      const now = { ...requests.served };
      const others = Object.keys(now).some((name) => name !== version && now[name] !== before[name]);
      if (others) before = now;
      return (now[version] ?? 0) - (before[version] ?? 0) > 50;
    };
    await until(alone, { what: `${version} alone to serve` });
  }

  /** What people were told up to this. Evidence that is no FAIL yet may hold a canary first. */
  async function noticesTo(id: DeploymentId, last: string): Promise<readonly string[]> {
    await until(async () => (await canaries.notices(id)).includes(last), { what: `the notice "${last}" of ${id}` });
    return (await canaries.notices(id)).filter((title) => title !== "Held").sort();
  }

  /** Where one was killed before, another takes its address, as a cluster would have it. */
  async function secondOf(service: PlatformService): Promise<void> {
    const own = apart.platform.urlOf(service);
    const isThere = apart.replicasOf(service).some(({ url }) => url === own);
    await apart.start(service, isThere ? undefined : own);
  }

  /** The rollback-controller that has this watch: its folder names the disk that the keeper's row names. */
  async function watching(id: DeploymentId): Promise<Replica> {
    const { rows } = await sql<{ holder: string }>`select holder from keeper where watch_id = ${id}`.execute(
      apart.platform.database.db<never>("rollback"),
    );
    const replicas = apart.replicasOf("rollback-controller");
    const disks = await Promise.all(replicas.map(({ dataDir }) => readFile(join(dataDir, "journal/disk"), "utf8")));
    const found = replicas.find((_, i) => rows[0]?.holder.startsWith(`${disks[i]?.trim()}/`));
    if (found === undefined) throw new Error(`nobody watches ${id}: ${JSON.stringify(rows)}`);
    return found;
  }

  async function isRestoring(id: DeploymentId): Promise<boolean> {
    const { rows } = await sql`select id from machine where id = ${id} and phase = 'restoring'`.execute(
      apart.platform.database.db<never>("deployment"),
    );
    return rows.length > 0;
  }
}
