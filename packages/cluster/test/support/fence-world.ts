import { once } from "node:events";
import type { DeploymentId, EnvironmentName, Epoch, RegionName, ServiceName, VersionName } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { expect } from "vitest";
import type { Connection } from "../../src/connection.ts";
import type { Fence, RegionCluster, Target } from "../../src/port.ts";
import { regionOver } from "../../src/region.ts";
import { fenceOf, VirtualService, weightsOf } from "../../src/virtual-service.ts";
import type { Actor, Scenario } from "./interleavings.ts";
import { silent } from "./silent.ts";

export const environment = "prod" as EnvironmentName;
export const v1 = "orders-1111111-aaaaa" as VersionName;
export const v2 = "orders-2222222-bbbbb" as VersionName;
const v3 = "orders-3333333-ccccc" as VersionName;
const proven = { production: true, proven: true };

export function grant(epoch: number) {
  return { epoch: epoch as Epoch, deployment: `D-${epoch}` as DeploymentId };
}

function regionWith(connection: Connection): RegionCluster {
  return regionOver(connection, {
    name: connection.region as RegionName,
    log: silent,
    requestTimeoutMs: 5_000,
    lowerDeadlineMs: 30_000,
    random: () => 0,
    pause: () => Promise.resolve(),
  });
}

/** Services and ready pods of three versions, shared by all runs. */
export async function prepareVersions(connection: Connection): Promise<void> {
  await connection.request("POST", "/api/v1/namespaces", {
    body: {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: environment, labels: { "app.kubernetes.io/managed-by": "slipway" } },
    },
  });
  for (const version of [v1, v2, v3]) {
    const at = `/api/v1/namespaces/${environment}`;
    const labels = { "slipway.dev/version": version };
    await connection.request("POST", `${at}/services`, {
      body: {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: version },
        spec: { selector: labels, ports: [{ name: "http", port: 80 }] },
      },
    });
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: version, labels },
      spec: { containers: [{ name: "app", image: "none" }] },
    };
    // A new namespace takes no pods until its controllers have given it a service account.
    await until(() => connection.request("POST", `${at}/pods`, { body: pod }), { what: `a pod of ${version}` });
    await connection.request("PATCH", `${at}/pods/${version}/status`, {
      body: { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } },
      contentType: "application/merge-patch+json",
    });
  }
}

/** A service of its own for one run: v1 at 95, v2 at 5, the gate open for epoch 2. */
export async function freshTarget(connection: Connection, number: number): Promise<Target> {
  const target = { environment, service: `orders-${number}` as ServiceName };
  const region = regionWith(connection);
  await region.openFence(target, { ...grant(2), baseline: v1 });
  const raised = await region.raise(target, { ...grant(2), baseline: v1, canary: v2, percent: 5, exposure: proven });
  expect(raised.kind).toBe("raised");
  return target;
}

export const actors = {
  raise: (target: Target, percent: number, epoch = 2): Actor => ({
    name: `raise to ${percent} by ${epoch}`,
    run: (connection) =>
      regionWith(connection).raise(target, { ...grant(epoch), baseline: v1, canary: v2, percent, exposure: proven }),
  }),
  lower: (target: Target, epoch = 2): Actor => ({
    name: `lower by ${epoch}`,
    run: (connection) => regionWith(connection).lower(target, { ...grant(epoch), baseline: v1, canary: v2 }),
  }),
  /** Over the routes as a watch told them before anybody began; it tells nothing more. */
  lowerTold: (target: Target, epoch = 2): Actor => ({
    name: `lower by ${epoch}`,
    async run(connection) {
      const region = regionWith({ ...connection, lines: async (_path, _query, signal) => silence(signal) });
      const told = Promise.withResolvers<unknown>();
      const watch = region.watchTraffic(target, told.resolve);
      await told.promise;
      const result = await region.lower(target, { ...grant(epoch), baseline: v1, canary: v2 });
      await watch.stop();
      return result;
    },
  }),
  open: (target: Target, epoch = 3): Actor => ({
    name: `open for ${epoch}`,
    run: (connection) => regionWith(connection).openFence(target, { ...grant(epoch), baseline: v1 }),
  }),
  /** The next deployment: takes the target and gives v3 its first weight. */
  openAndRaise: (target: Target, epoch = 3): Actor => ({
    name: `next deployment ${epoch}`,
    async run(connection) {
      const region = regionWith(connection);
      const opened = await region.openFence(target, { ...grant(epoch), baseline: v1 });
      if (opened.kind !== "opened") return opened;
      return region.raise(target, { ...grant(epoch), baseline: v1, canary: v3, percent: 5, exposure: proven });
    },
  }),
  follow: (target: Target, version: VersionName, epoch = 2): Actor => ({
    name: `follow by ${epoch}`,
    run: (connection) => regionWith(connection).follow(target, { epoch: epoch as Epoch, version }),
  }),
};

async function* silence(signal: AbortSignal): AsyncGenerator<string> {
  yield* await once(signal, "abort").then(() => []);
}

type State = { readonly actor: string; readonly fence: Fence; readonly weights: Readonly<Record<string, number>> };

/** One run over a fresh target with the laws of the fence as its check. */
export async function fenceScenario(
  connection: Connection,
  target: Target,
  actors: readonly Actor[],
  { honest }: { honest: boolean },
): Promise<Scenario> {
  const path = `/apis/networking.istio.io/v1/namespaces/${environment}/virtualservices/${target.service}`;
  const states: State[] = [];
  const first = VirtualService.parse(await connection.request("GET", path));
  const record = (actor: string, object: unknown) => {
    const vs = VirtualService.safeParse(object);
    const fence = vs.success ? fenceOf(vs.data) : null;
    if (vs.success && fence !== null) states.push({ actor, fence, weights: weightsOf(vs.data) });
  };
  record("start", first);
  return {
    connection,
    actors,
    gated: (asked) => asked === path,
    onWrite: record,
    async check(results) {
      checkHistory(states);
      checkReports(states, results, honest);
      const last = VirtualService.parse(await connection.request("GET", path));
      expect(fenceOf(last)).toEqual(states.at(-1)?.fence);
      checkEnd(last, results);
    },
  };
}

/** seq counts every write, epochs never go back, and nothing of a shut epoch is ever given weight again. */
function checkHistory(states: readonly State[]): void {
  let shut = 0;
  for (const [index, { fence, weights }] of states.entries()) {
    const before = states[index - 1]?.fence;
    const says = (holds: boolean, law: string) => {
      if (!holds) throw new Error(`${law}, at write ${index} of ${JSON.stringify(states)}`);
    };
    says(before === undefined || fence.seq === before.seq + 1, "seq counts every write");
    says(before === undefined || fence.epoch >= before.epoch, "epochs never go back");
    says(fence.epoch > shut || fence.gate === "shut", "an epoch that was shut stays shut");
    // After a lowering of v2 has taken hold, v2 stays at 0 under every epoch: nobody is left who may raise it.
    says(shut === 0 || (weights[v2] ?? 0) === 0, "what was lowered stays at 0");
    if (fence.gate === "shut") shut = Math.max(shut, fence.epoch);
  }
}

/** What actors report is what stands: `raised` and `shut` were seen, and a refused raise was not (unless it came late). */
function checkReports(states: readonly State[], results: Readonly<Record<string, unknown>>, honest: boolean): void {
  for (const [actor, result] of Object.entries(results)) {
    const { kind, seq } = result as { kind?: string; seq?: number };
    const own = states.filter((state) => state.actor === actor);
    if (kind === "raised" || kind === "shut" || kind === "opened") {
      expect(own.map(({ fence }) => fence.seq)).toContain(seq);
    }
    if (kind === "refused" && actor.startsWith("raise") && honest) expect(own).toEqual([]);
  }
}

function checkEnd(last: VirtualService, results: Readonly<Record<string, unknown>>): void {
  const lowered = Object.entries(results).find(([actor]) => actor.startsWith("lower"))?.[1] as { kind: string };
  const fence = fenceOf(last);
  if (lowered.kind === "shut") {
    expect(weightsOf(last)[v2] ?? 0).toBe(0);
    if (fence?.epoch === 2) {
      expect(fence.gate).toBe("shut");
      expect(weightsOf(last)[v1]).toBe(100);
    } else expect(fence?.epoch).toBe(3);
  } else {
    // Only a newer grant is a reason not to lower.
    expect(lowered).toMatchObject({ kind: "stale", fence: { epoch: 3 } });
    expect(fence?.epoch).toBe(3);
  }
}

/** The canary has all traffic and the base Service is about to follow it, while somebody takes it all back. */
export async function followScenario(connection: Connection, target: Target): Promise<Scenario> {
  const region = regionWith(connection);
  await region.raise(target, { ...grant(2), baseline: v1, canary: v2, percent: 100, exposure: proven });
  const { service } = target;
  return {
    connection,
    actors: [actors.follow(target, v2), actors.lower(target)],
    gated: (path) => path.endsWith(`/virtualservices/${service}`) || path.endsWith(`/services/${service}`),
    onWrite: () => undefined,
    async check(results) {
      expect(results["lower by 2"]).toMatchObject({ kind: "shut" });
      const traffic = await region.readTraffic(target);
      expect(traffic).toMatchObject({ fence: { gate: "shut" }, weights: { [v1]: 100, [v2]: 0 } });
      expect(traffic.liveVersion).not.toBe(v2);
    },
  };
}
