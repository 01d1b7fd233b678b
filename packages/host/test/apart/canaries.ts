import { join } from "node:path";
import { type Bus, kafkaBus, postgresBus } from "@slipway/bus";
import {
  approvePromotion,
  createDeployment,
  type DeploymentRequest,
  type DeploymentView,
  deploymentTopic,
  getArtifact,
  getDeployment,
  listArtifacts,
  listNotifications,
  requestPromotion,
  watchTopic,
} from "@slipway/contracts";
import type { DeploymentId, EnvironmentName } from "@slipway/kernel";
import { silentLogger } from "@slipway/sql";
import { trafficWrites, until } from "@slipway/testkit";
import { sql } from "kysely";
import { expect } from "vitest";
import type { PlatformApart } from "./platform-apart.ts";
import type { SteadyRequests } from "./steady-requests.ts";

const region = "us-east-1";
const timeoutMs = 120_000;
/** Answers after which it is believed that the version that serves is the only one. */
const enough = 50;

/** Deployments of the shop to environments of production. */
export type Canaries = {
  /** The image of this commit may go to every environment. */
  promote(sha: string): Promise<void>;
  /** Asks for it as an approver, who may ask again for what was taken back. `first`: nothing serves there yet. */
  deploy(sha: string, environment: string, first?: boolean): Promise<DeploymentId>;
  /** A canary of this commit that has 5% and bakes. */
  begin(sha: string, environment: string, requests: SteadyRequests): Promise<DeploymentView>;
  /** `at`: the orchestrator that is asked. */
  comesTo(id: DeploymentId, status: string, at?: string): Promise<DeploymentView>;
  /** It had 5% and has nothing, what served before serves alone, and each step of its way was written and told once. `begun`: as it was while it baked. */
  expectTakenBack(begun: DeploymentView, requests: SteadyRequests, at?: string): Promise<DeploymentView>;
  /** How often it was told, by type. */
  told(id: DeploymentId): Promise<Readonly<Record<string, number>>>;
  notices(id: DeploymentId): Promise<readonly string[]>;
  audited(id: DeploymentId): Promise<readonly { actor: string; action: string; detail: object }[]>;
  close(): Promise<void>;
};

/** `busUrl`: of the platform; undefined: its Postgres. */
export function canariesOf(platform: PlatformApart, busUrl?: string): Canaries {
  const bus =
    busUrl === undefined
      ? postgresBus({ url: platform.database.url("bus"), log: silentLogger })
      : kafkaBus({ url: busUrl, log: silentLogger });
  const [viewer, deployer, approver] = [
    platform.client("viewer"),
    platform.client("deployer"),
    platform.client("approver"),
  ];
  const viewOf = (id: DeploymentId, at?: string) =>
    (at === undefined ? viewer : platform.client("viewer", at)).call(getDeployment, { params: { id } });

  async function promote(sha: string): Promise<void> {
    const { artifacts } = await viewer.call(listArtifacts, { query: { service: "shop" as never } });
    const digest = artifacts.find((artifact) => artifact.git_sha === sha)?.digest;
    if (digest === undefined) throw new Error(`no image of ${sha}`);
    const isIn = async (to: EnvironmentName) => {
      const { environments } = await viewer.call(getArtifact, { params: { digest } });
      return environments.some(({ environment }) => environment === to);
    };
    for (const to of ["staging", "prod"] as EnvironmentName[]) {
      const asked = await deployer.call(requestPromotion, { params: { digest }, body: { to } });
      const id = asked.promotion_id;
      if (asked.approvals_needed > 0) await approver.call(approvePromotion, { params: { id }, body: { reason: "ok" } });
      await until(() => isIn(to), { what: `${sha} to be in ${to}` });
    }
  }

  async function deploy(sha: string, environment: string, first = false): Promise<DeploymentId> {
    const asked = { service: "shop", version: sha, environment, regions: [region], confirm_initial: first };
    const body = asked as unknown as DeploymentRequest;
    const { deployment_id } = await approver.call(createDeployment, { body, idempotencyKey: crypto.randomUUID() });
    if (deployment_id === null) throw new Error("not accepted");
    return deployment_id;
  }

  async function comes(id: DeploymentId, is: (view: DeploymentView) => boolean, what: string, at?: string) {
    let last: DeploymentView | undefined;
    const look = async () => {
      last = await viewOf(id, at);
      return is(last) ? last : undefined;
    };
    return await until(look, { what: `${id} ${what}`, timeoutMs }).catch((cause: unknown) => {
      throw new Error(JSON.stringify(last), { cause });
    });
  }

  async function begin(sha: string, environment: string, requests: SteadyRequests): Promise<DeploymentView> {
    const id = await deploy(sha, environment);
    const bakes = ({ phase, regions }: DeploymentView) => phase === "baking" && regions[region]?.weight_percent === 5;
    const view = await comes(id, bakes, "to bake at 5%");
    await until(() => (requests.served[view.version] ?? 0) > 0, { what: `requests of ${view.version}` });
    return view;
  }

  const told = async (id: DeploymentId) => {
    const types = await Promise.all([deploymentTopic.name, watchTopic.name].map((topic) => typesIn(bus, topic, id)));
    return Object.fromEntries(types.flat());
  };

  async function expectTakenBack(begun: DeploymentView, requests: SteadyRequests, at?: string) {
    const { deployment_id: id, version } = begun;
    const baseline = String(begun.regions[region]?.baseline);
    const view = await comes(id, ({ status }) => status === "ROLLED_BACK", "to be rolled back", at);
    expect(view.regions[region]).toMatchObject({ weight_percent: 0, baseline });
    const before = { ...requests.served };
    await until(() => (requests.served[baseline] ?? 0) - (before[baseline] ?? 0) >= enough, {
      what: "the old version",
    });
    expect({ ...requests.served, [baseline]: 0 }).toEqual({ ...before, [baseline]: 0 });
    // Nobody was failed but by the version that was told to.
    expect({ ...requests.failed, [version]: 0 }).toEqual({ [version]: 0 });

    const writes = trafficWrites(join(platform.folder, "region/api")).filter(({ deployment }) => deployment === id);
    const seqs = writes.map(({ seq }) => seq);
    expect(new Set(writes.map(({ epoch }) => epoch)).size).toBe(1);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    const ofVersion = writes.map(({ weights }) => weights[hostOf(weights, version)] ?? 0);
    expect(ofVersion.filter((weight) => weight > 0)).toEqual([5]);
    expect(writes.at(-1)).toMatchObject({ gate: "shut" });
    expect(writes.at(-1)?.weights[hostOf(writes.at(-1)?.weights ?? {}, baseline)]).toBe(100);

    const once = ["accepted", "granted", "opened", "step_started", "restoring", "rolled_back"];
    const counted = await told(id);
    expect(once.map((type) => [type, counted[`deployment.${type}`]])).toEqual(once.map((type) => [type, 1]));
    return view;
  }

  return {
    ...{ promote, deploy, begin, expectTakenBack, told },
    comesTo: (id, status, at) => comes(id, (view) => view.status === status, `to be ${status}`, at),
    async notices(id) {
      const { notifications } = await viewer.call(listNotifications, { query: { page_size: 100 } });
      return notifications.filter(({ about }) => about === id).map(({ title }) => title.split(":")[0] ?? "");
    },
    async audited(id) {
      const { rows } = await sql<{ actor: string; action: string; detail: object }>`
        select actor, action, detail from audit where subject = ${id} order by seq`.execute(
        platform.database.db<never>("deployment"),
      );
      return rows;
    },
    close: () => bus.close(),
  };
}

const hostOf = (weights: Readonly<Record<string, number>>, version: string) =>
  Object.keys(weights).find((host) => host.includes(version)) ?? "";

/** An event that was published twice is one. */
async function typesIn(bus: Bus, topic: string, subject: string): Promise<readonly (readonly [string, number])[]> {
  const types = new Map<string, Set<string>>();
  for (let at: Parameters<Bus["read"]>[1] = 0; ; ) {
    const { events, next } = await bus.read(topic, at, 500);
    for (const event of events)
      if (event.subject === subject) types.set(event.type, (types.get(event.type) ?? new Set()).add(event.id));
    if (events.length === 0) return [...types].map(([type, ids]) => [type, ids.size] as const);
    at = next;
  }
}
