import { readFile, writeFile } from "node:fs/promises";
import {
  type FaultProxy,
  installedRegion,
  type RealRegion,
  realPart,
  regionAccounts,
  startFaultProxy,
  startKubeFaultProxy,
  until,
} from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Connection } from "../src/connection.ts";
import { allVirtualServices } from "../src/paths.ts";
import type { RegionCluster, Target } from "../src/port.ts";
import { reflect } from "../src/reflector.ts";
import { openRegion } from "../src/region.ts";
import { regionProblems } from "../src/region-problems.ts";
import { fenceOf, VirtualService } from "../src/virtual-service.ts";
import { faultAnswersContract, impatientMs } from "./support/fault-answers.contract.ts";
import { freshTarget, grant, v1, v2 } from "./support/fence-world.ts";
import { asAdmin, connectAs, region as name, regionOf } from "./support/real-region.ts";
import { silent } from "./support/silent.ts";

const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];
const parts = etcd && kubernetes && crds ? { etcd, kubernetes, crds } : undefined;

/** The suite of the local region's faults, and watches that are cut, over a real API server behind a proxy. */
describe.skipIf(parts === undefined)("a real Kubernetes whose answers go wrong", () => {
  let real: RealRegion;
  beforeAll(async () => {
    real = await installedRegion(parts!);
  });
  afterAll(() => real?.stop());

  faultAnswersContract(async () => {
    const proxy = await startKubeFaultProxy(real);
    const [admin, patient] = [await asAdmin(real), await connectAs(real, "orchestrator")];
    const connection = await connectAs(real, "orchestrator", { timeoutMs: impatientMs, port: proxy.port });
    return {
      ...{ faults: proxy.faults, admin, patient, connection },
      async close() {
        for (const each of [admin, patient, connection]) await each.close();
        await proxy.stop();
      },
    };
  });

  test("a token that ends in mid-rollout is named, and once the kubeconfig has another one the same region goes on", async () => {
    const direct = await connectAs(real, "orchestrator");
    const target = await freshTarget(direct, 100);
    const first = await endingToken("rollout-token");
    const kubeconfig = await real.kubeconfigWith(first);
    const access = { name, kubeconfig, context: real.context };
    const rollout = await openRegion({ ...access, log: silent });
    const seqs: number[] = [];
    const watch = rollout.watchTraffic(target, ({ fence }) => void seqs.push(fence?.seq ?? 0));
    await changed(rollout, target, 1);

    await real.api("DELETE", "/api/v1/namespaces/slipway-system/secrets/rollout-token");
    // The API server believes in a token for some seconds more.
    const problems = () => regionProblems(access, [], "orchestrator");
    const [problem] = await until(async () => ((await problems()).length > 0 ? await problems() : undefined), {
      what: "the token to be refused",
      timeoutMs: 60_000,
    });
    expect(problem).toMatch(/refuses the credentials: put a valid token into .* \(kubectl create token orchestrator/);
    await expect(rollout.readTraffic(target)).rejects.toThrow(/Unauthorized/);

    const renewed = (await readFile(kubeconfig, "utf8")).replace(
      first,
      await real.tokenOf(regionAccounts.orchestrator),
    );
    await writeFile(kubeconfig, renewed);
    const seq = await changed(rollout, target, 2);
    expect(await rollout.lower(target, { ...grant(2), baseline: v1, canary: v2 })).toMatchObject({ kind: "shut" });
    await until(() => (seqs.at(-1) ?? 0) > seq, { what: "the watch to go on", timeoutMs: 60_000 });
    expect(await problems()).toEqual([]);
    await watch.stop();
    await rollout.close();
    await direct.close();
  });

  /** Ends with the Secret that it is bound to; one that ends by its time lives ten minutes at least. */
  async function endingToken(secret: string): Promise<string> {
    const { namespace, name } = regionAccounts.orchestrator;
    const inNamespace = `/api/v1/namespaces/${namespace}`;
    await real.api("POST", `${inNamespace}/secrets`, {
      ...{ apiVersion: "v1", kind: "Secret", metadata: { name: secret } },
    });
    const answer = await real.api("POST", `${inNamespace}/serviceaccounts/${name}/token`, {
      ...{ apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest" },
      spec: { expirationSeconds: 600, boundObjectRef: { apiVersion: "v1", kind: "Secret", name: secret } },
    });
    return (answer as { status: { token: string } }).status.token;
  }

  describe.each([
    ["whose connections have gone dead", 104, (network: FaultProxy) => network.strand()],
    ["that is a black hole when it begins", 105, swallowFirst],
  ])("over a network %s", (_what, number, worsen) => {
    test("a lowering stands by its deadline, and a watch tells it", async () => {
      const network = await startFaultProxy(real.port);
      const through = await connectAs(real, "orchestrator", { port: network.port });
      const target = await freshTarget(through, number);
      const told = new Map<string, number>();
      const tell = (object: unknown) => {
        const { data } = VirtualService.safeParse(object);
        if (data !== undefined) told.set(data.metadata.name, fenceOf(data)?.seq ?? 0);
      };
      const watch = reflect({
        ...{ connection: through, path: allVirtualServices, log: silent, random: Math.random, idleMs: 3_000 },
        onReplace: (objects) => objects.forEach(tell),
        onChange: (_type, object) => tell(object),
      });
      await until(() => told.has(target.service), { what: "the first state" });
      // As after some work: several are open.
      await Promise.all(Array.from({ length: 3 }, () => through.request("GET", "/version")));

      const swallowed = network.swallowed();
      const [lowered] = await Promise.all([
        regionOf(through).lower(target, { ...grant(2), baseline: v1, canary: v2 }),
        worsen(network),
      ]);

      expect(network.swallowed()).toBeGreaterThan(swallowed);
      expect(lowered).toMatchObject({ kind: "shut" });
      const seq = lowered.kind === "shut" && lowered.seq;
      await until(() => told.get(target.service) === seq, { what: "the lowering to be told", timeoutMs: 60_000 });
      await watch.stop();
      await through.close();
      await network.stop();
    });
  });

  describe("a watch tells every change once and in order", () => {
    const changes = 30;
    let direct: Connection;
    beforeAll(async () => {
      direct = await connectAs(real, "orchestrator");
    });
    afterAll(() => direct?.close());

    test("while watches are cut again and again, without a last event", async () => {
      const proxy = await startKubeFaultProxy(real);
      const watched = await connectAs(real, "orchestrator", { port: proxy.port });

      const seqs = await toldWhile(
        101,
        watched,
        async () => void (await until(() => proxy.faults.closeWatches(), { what: "an open watch" })),
      );

      expect(seqs).toEqual(inOrder(seqs));
      await watched.close();
      await proxy.stop();
    });

    test("while all connections are cut again and again, and bytes come late", async () => {
      const proxy = await startFaultProxy(real.port);
      proxy.delay(30);
      const watched = await connectAs(real, "orchestrator", { port: proxy.port });

      const seqs = await toldWhile(
        102,
        watched,
        async () => void (await until(() => proxy.cut(), { what: "an open connection" })),
      );

      expect(seqs).toEqual(inOrder(seqs));
      await watched.close();
      await proxy.stop();
    });

    test("also over a kill of the API server", async () => {
      const watched = await connectAs(real, "orchestrator");
      let killed = false;

      const seqs = await toldWhile(103, watched, async () => {
        if (killed) return;
        killed = true;
        await real.kill();
        await real.start();
      });

      // A server that came back may have to be listed: what changed while it was not watched is one change then.
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
      expect(seqs.length).toBeGreaterThan(changes / 2);
      await watched.close();
    });

    const inOrder = (seqs: readonly number[]) => seqs.map((_, index) => (seqs[0] ?? 0) + index);

    /** The fence's seqs as they were told, from the first to the last of so many changes between which `trouble` is made. */
    async function toldWhile(number: number, through: Connection, trouble: () => Promise<void>): Promise<number[]> {
      const target = await freshTarget(direct, number);
      const [writer, reader] = [regionOf(direct), regionOf(through)];
      const seqs: number[] = [];
      const watch = reader.watchTraffic(target, ({ fence }) => void seqs.push(fence?.seq ?? 0));
      await until(() => seqs.length > 0, { what: "the first state" });
      let last = 0;
      for (let change = 1; change <= changes; change += 1) {
        last = await changed(writer, target, change);
        // A watch that is open, or about to be.
        if (change % 3 === 0) {
          await until(() => seqs.length > change / 2, { what: "what was told so far" });
          await trouble();
        }
      }
      await until(() => seqs.at(-1) === last, { what: "the last change to be told", timeoutMs: 60_000 });
      await watch.stop();
      return seqs;
    }
  });
});

/** What is sent first never arrives. */
async function swallowFirst(network: FaultProxy): Promise<void> {
  const before = network.swallowed();
  network.swallow(true);
  await until(() => network.swallowed() > before, { what: "a request" });
  network.swallow(false);
}

async function changed(region: RegionCluster, target: Target, change: number): Promise<number> {
  const percent = change % 2 === 0 ? 5 : 4;
  const request = { ...grant(2), baseline: v1, canary: v2, percent, exposure: { production: true, proven: true } };
  const raised = await until(
    async () => {
      const answer = await region.raise(target, request);
      return answer.kind === "raised" ? answer : undefined;
    },
    { what: `change ${change}` },
  );
  return raised.seq;
}
