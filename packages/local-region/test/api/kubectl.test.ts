import { execFile, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "@slipway/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import type { PodLogs } from "../../src/index.ts";
import {
  deployment,
  deploymentsPath,
  podsPath,
  reportReady,
  virtualService,
  virtualServices,
} from "./support/objects.ts";
import { mergePatch, type TestRegion, temporaryFolder, testRegion } from "./support/region.ts";

const found = spawnSync("kubectl", ["version", "--client"]).error === undefined;
const run = promisify(execFile);

/** A region with one deployment of two pods, one of them ready, and a VirtualService. */
async function region(podLogs?: PodLogs) {
  const server = await testRegion(podLogs === undefined ? {} : { podLogs });
  const { send } = server;
  await send("POST", deploymentsPath, deployment("orders", 2));
  const annotations = { "slipway.dev/fence": "7/3/open/D-12" };
  await send("POST", virtualServices, virtualService("orders", { "orders-a": 95, "orders-b": 5 }, annotations));
  const pods = await until(
    async () => {
      const { items } = (await send("GET", podsPath)).body;
      return items.length === 2 ? items : undefined;
    },
    { what: "two pods" },
  );
  const [ready = "", waiting = ""] = pods.map(({ metadata }) => metadata.name);
  await reportReady(send, ready, 40_001);
  await until(
    async () =>
      JSON.stringify((await send("GET", `${deploymentsPath}/orders`)).body.status).includes('"readyReplicas":1'),
    { what: "one ready replica" },
  );
  const cache = join(await temporaryFolder(), "cache");
  const args = ["--kubeconfig", server.kubeconfigPath, "--cache-dir", cache];
  const kubectl = async (...command: string[]) =>
    (await run("kubectl", [...args, ...command], { timeout: 90_000 })).stdout;
  return { server, kubectl, args, ready, waiting };
}

/** Rows of a printed table, cells by their column's name. */
function rows(text: string): Record<string, string>[] {
  const [head = "", ...lines] = text.trimEnd().split("\n");
  const columns = [...head.matchAll(/\S+(?: \S+)*\s*/g)].map(({ 0: name, index }) => ({
    name: name.trim(),
    from: index,
  }));
  return lines.map((line) =>
    Object.fromEntries(columns.map(({ name, from }, at) => [name, line.slice(from, columns[at + 1]?.from).trim()])),
  );
}

function started(args: readonly string[]): { printed(): string } {
  const child = spawn("kubectl", args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
  });
  return { printed: () => text };
}

describe.skipIf(!found)("kubectl (skipped where it is not installed)", () => {
  test("get pods,virtualservices -A -o wide", async () => {
    const { kubectl, ready, waiting } = await region();

    const [pods = "", services = ""] = (await kubectl("get", "pods,virtualservices", "-A", "-o", "wide")).split("\n\n");

    const [first, second] = [
      rows(pods).find(({ NAME }) => NAME === `pod/${ready}`),
      rows(pods).find(({ NAME }) => NAME === `pod/${waiting}`),
    ];
    expect(first).toMatchObject({
      ...{ NAMESPACE: "prod", READY: "1/1", STATUS: "Running", RESTARTS: "0" },
      ...{ IP: "127.0.0.1", NODE: "eu-west-1", PORT: "40001" },
    });
    expect(first?.AGE).toMatch(/^\d+s$/);
    expect(second).toMatchObject({ READY: "0/1", STATUS: "Pending", IP: "<none>" });
    expect(rows(services)).toMatchObject([
      {
        ...{ NAMESPACE: "prod", NAME: "virtualservice.networking.istio.io/orders", HOSTS: '["orders"]' },
        ...{ WEIGHTS: "orders-a=95,orders-b=5", FENCE: "7/3/open/D-12" },
      },
    ]);
  });

  test("get -o yaml, in the namespace of the context", async () => {
    const { kubectl } = await region();

    const yaml = await kubectl("get", "virtualservice", "orders", "-o", "yaml");

    expect(yaml).toContain("slipway.dev/fence: 7/3/open/D-12");
    expect(yaml).toContain("kind: VirtualService");
  });

  test("get -w prints a row for each change", async () => {
    const { server, args } = await region();
    const watch = started([...args, "get", "vs", "-w", "-o", "wide"]);
    await until(() => watch.printed().includes("orders-a=95"), { what: "the first row" });

    const spec = virtualService("orders", { "orders-a": 100, "orders-b": 0 }).spec;
    await server.send("PATCH", `${virtualServices}/orders`, { spec }, mergePatch);

    await until(() => watch.printed().includes("orders-a=100,orders-b=0"), { what: "the row of the change" });
    expect(watch.printed().match(/HOSTS/g)).toHaveLength(1);
  });

  test("get -o yaml -w prints each state", async () => {
    const { server, args } = await region();
    const watch = started([...args, "get", "vs", "orders", "-w", "-o", "yaml"]);
    await until(() => watch.printed().includes("weight: 95"), { what: "the first state" });

    const spec = virtualService("orders", { "orders-a": 77 }).spec;
    await server.send("PATCH", `${virtualServices}/orders`, { spec }, mergePatch);

    await until(() => watch.printed().includes("weight: 77"), { what: "the second state" });
  });

  test("describe deployment", async () => {
    const { kubectl } = await region();

    const text = await kubectl("describe", "deployment", "orders");

    expect(text).toMatch(/Replicas:\s+2 desired \| 2 updated \| 2 total \| 1 available \| 1 unavailable/);
    expect(text).toMatch(/NewReplicaSet:\s+orders-[0-9a-f]{10} \(2\/2 replicas created\)/);
    expect(text).toMatch(/ScalingReplicaSet\s+.*Scaled up replica set/);
  });

  test("describe pod", async () => {
    const { kubectl, ready } = await region();

    const text = await kubectl("describe", "pod", ready);

    expect(text).toMatch(/Node:\s+eu-west-1/);
    expect(text).toMatch(/Controlled By:\s+ReplicaSet\/orders-/);
    expect(text).toMatch(/Scheduled\s+.*Successfully assigned prod\//);
  });

  test("logs -f prints lines as they come; logs of a pod that has not started say why", async () => {
    const said: string[] = ["one\n"];
    let wake: () => void = () => undefined;
    const podLogs: PodLogs = async function* ({ follow, signal }) {
      for (let at = 0; signal?.aborted !== true; ) {
        const next = said[at];
        if (next !== undefined) {
          at += 1;
          yield Buffer.from(next);
        } else if (follow !== true) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
            signal?.addEventListener("abort", () => resolve(), { once: true });
          });
        }
      }
    };
    const { kubectl, args, ready, waiting } = await region(podLogs);
    const logs = started([...args, "logs", "-f", ready]);
    await until(() => logs.printed() === "one\n", { what: "the first line" });

    said.push("two\n");
    wake();

    await until(() => logs.printed() === "one\ntwo\n", { what: "the second line" });
    expect(await kubectl("logs", ready)).toBe("one\ntwo\n");
    await expect(kubectl("logs", waiting)).rejects.toThrow(/is waiting to start: ContainerCreating/);
  });

  test("get all, deploy, rs, ns, events and api-resources have their own columns", async () => {
    const { kubectl } = await region();

    expect(rows(await kubectl("get", "deploy"))).toMatchObject([{ NAME: "orders", READY: "1/2", "UP-TO-DATE": "2" }]);
    expect(rows(await kubectl("get", "rs"))).toMatchObject([{ DESIRED: "2", CURRENT: "2", READY: "1" }]);
    expect(rows(await kubectl("get", "ns")).map(({ NAME }) => NAME)).toEqual(["default", "prod"]);
    expect(await kubectl("get", "all")).toContain("deployment.apps/orders");
    expect(await kubectl("get", "events")).toContain("SuccessfulCreate");
    expect(await kubectl("api-resources")).toMatch(
      /virtualservices\s+vs\s+networking.istio.io\/v1\s+true\s+VirtualService/,
    );
  });

  test("the commands of a person in need: annotate, scale, patch, delete", async () => {
    const { kubectl, server } = await region();
    const states: TestRegion["send"] = server.send;

    await kubectl("annotate", "vs", "orders", "slipway.dev/paused=looking");
    await kubectl("scale", "deployment", "orders", "--replicas=1");
    const patch = '[{"op":"replace","path":"/spec/http/0/route/1/weight","value":0}]';
    await kubectl("patch", "vs", "orders", "--type=json", "-p", patch);
    await kubectl("delete", "deployment", "orders", "--wait=false");

    const { body } = await states("GET", `${virtualServices}/orders`);
    expect(body.metadata.annotations).toMatchObject({ "slipway.dev/paused": "looking" });
    expect(JSON.stringify(body.spec)).toContain('"weight":0');
    expect((await states("GET", `${deploymentsPath}/orders`)).status).toBe(404);
  });
});
