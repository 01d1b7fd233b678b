import { openRegions, type RegionCluster } from "@slipway/cluster";
import { watchTopic } from "@slipway/contracts";
import type { RegionName } from "@slipway/kernel";
import { silentLogger } from "@slipway/sql";
import {
  installedRegion,
  type KubeFaultProxy,
  type RealRegion,
  realPart,
  regionAccounts,
  type StagedCanary,
  stageCanary,
  startKubeFaultProxy,
  until,
} from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { armed } from "../src/domain/watch.ts";
import { openPlace, type Place, ScriptedRegion, startController } from "./support/controller.ts";
import { id, sampleSpec } from "./support/sample.ts";

const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];
const parts = etcd && kubernetes && crds ? { etcd, kubernetes, crds } : undefined;

/** A canary at 5% on two real API servers, one of which fails just when the canary turns bad. */
describe.skipIf(parts === undefined)("on FAIL, with the API server of one region in trouble,", () => {
  const real: Record<string, RealRegion> = {};
  let proxy: KubeFaultProxy;
  /** Past the faults, as the orchestrator. */
  let sound: ReturnType<typeof openRegions>;
  /** As the rollback-controller, region b through the faults. */
  let regions: ReturnType<typeof openRegions>;
  let number = 0;

  beforeAll(async () => {
    for (const name of ["a", "b"]) real[name] = await installedRegion(parts!);
    proxy = await startKubeFaultProxy(real.b!);
    sound = openRegions(await entries("orchestrator"), silentLogger);
    regions = openRegions(await entries("rollbackController", { b: proxy.port }), silentLogger);
    for (const name of regions.names) (await regions.cluster(name)).keepRoutes();
  });
  afterAll(async () => {
    await regions?.close();
    await sound?.close();
    await proxy?.stop();
    for (const region of Object.values(real)) await region.stop();
  });

  let place: Place;
  let controller: Awaited<ReturnType<typeof startController>>;
  let staged: StagedCanary;
  const meshes: Record<string, ScriptedRegion> = {};

  beforeEach(async () => {
    number += 1;
    staged = await stageCanary(`env-${number}`, [await direct("a"), await direct("b")]);
    for (const name of ["a", "b"]) meshes[name] = new ScriptedRegion(staged);
    place = await openPlace();
    controller = await startController(place, undefined, {
      ...{ metrics: (name) => meshes[name]!.source, cluster: (name) => regions.cluster(name) },
      lookEveryMs: 50,
    });
    const { target, baseline, canary: version } = staged;
    const spec = sampleSpec({ ...target, version, baselines: { a: baseline, b: baseline } });
    const first = armed(id, spec);
    await controller.durable.create(undefined, controller.machine, id, first.state, first.commands);
    await controller.keeper.take(id);
    await controller.watchers.arm(id, spec);
  });
  afterEach(async () => {
    proxy.faults.clear();
    // Only after a failure: the next test needs it.
    await fenceIn("b").catch(() => real.b?.start());
    await controller?.stop();
    await place?.close();
  });

  const everything = () => true;
  const writes = ({ method, path }: { method: string; path: string }) =>
    method === "PATCH" && path.includes("/virtualservices/");

  test.each([
    ["429 to everything", { kind: "answer", code: 429, retryAfterSeconds: 1 }, everything],
    ["500 to everything", { kind: "answer", code: 500 }, everything],
    ["503 to everything", { kind: "answer", code: 503 }, everything],
    ["409 to every write", { kind: "answer", code: 409 }, writes],
    ["nothing: connections are cut", { kind: "drop", when: "before" }, everything],
    ["nothing in time", { kind: "delay", when: "before", ms: 60_000 }, everything],
  ] as const)(
    "which answers %s, the other is shut meanwhile, and this one once it is well",
    async (_, fault, match) => {
      proxy.faults.add(fault, match, Number.POSITIVE_INFINITY);
      if (fault.kind !== "answer" || match === everything) proxy.faults.closeWatches();
      const before = await fenceIn("b");

      goBad();
      await until(() => isShut("a"), { what: "region a to be shut" });
      expect(await fenceIn("b")).toEqual(before);
      expect(await isStored("b")).toBe(false);

      proxy.faults.clear();
      await bothShutOnce(before);
    },
  );

  test("whose answer to the lowering is lost, it is written once", async () => {
    const before = await fenceIn("b");
    proxy.faults.add({ kind: "drop", when: "after" }, writes);

    goBad();

    await bothShutOnce(before);
    expect(proxy.faults.pending()).toBe(0);
  });

  test.each([
    ["hangs", "SIGSTOP", (region: RealRegion) => region.kill("SIGCONT")],
    ["is killed", "SIGKILL", (region: RealRegion) => region.start()],
  ] as const)("which %s, the other is shut meanwhile, and this one once it is back", async (_, signal, back) => {
    const before = await fenceIn("b");
    await real.b!.kill(signal);

    goBad();
    await until(() => isShut("a"), { what: "region a to be shut" });
    expect(await isStored("b")).toBe(false);

    await back(real.b!);
    await bothShutOnce(before);
  });

  function goBad(): void {
    for (const mesh of Object.values(meshes)) mesh.errorsPerRead = 6;
  }

  /** Both are shut, and in b by one write; both were confirmed, stored and told once. */
  async function bothShutOnce(before: Fence): Promise<void> {
    await until(async () => (await isShut("a")) && (await isShut("b")), { what: "both regions", timeoutMs: 60_000 });
    expect(await fenceIn("b")).toMatchObject({ epoch: 2, seq: (before?.seq ?? 0) + 1 });
    await until(async () => (await isStored("a")) && (await isStored("b")), { what: "both confirmed" });
    const told = async () => {
      const { events } = await place.bus.read(watchTopic.name, 0, 100);
      return events.map(({ type }) => type).filter((type) => type !== "watch.judged");
    };
    const all = ["watch.armed", "watch.failed", "watch.shut_confirmed", "watch.shut_confirmed"];
    await until(async () => (await told()).length >= all.length, { what: "the news on the bus" });
    expect(await told()).toEqual(all);
  }

  type Fence = Awaited<ReturnType<RegionCluster["readTraffic"]>>["fence"];

  async function fenceIn(name: string): Promise<Fence> {
    return (await (await sound.cluster(name)).readTraffic(staged.target)).fence;
  }

  async function isShut(name: string): Promise<boolean> {
    const { fence, weights } = await (await sound.cluster(name)).readTraffic(staged.target);
    return fence?.gate === "shut" && weights[staged.canary] === 0 && weights[staged.baseline] === 100;
  }

  async function isStored(name: string): Promise<boolean> {
    const row = await controller.durable.read(controller.machine, id);
    return row?.state.phase === "failed" && row.state.shut[name as RegionName] !== undefined;
  }

  async function direct(name: string) {
    return { region: await sound.cluster(name), api: real[name]!.api };
  }

  function entries(account: keyof typeof regionAccounts, ports: Readonly<Record<string, number>> = {}) {
    return Promise.all(
      Object.entries(real).map(async ([name, region]) => {
        const kubeconfig = await region.kubeconfigWith(await region.tokenOf(regionAccounts[account]), ports[name]);
        return { name: name as RegionName, kubeconfig, context: region.context };
      }),
    );
  }
});
