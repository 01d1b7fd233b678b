import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createKubeClient, type KubeClient } from "../../src/kube/client.ts";
import { type Following, follow, type KubeObject } from "../../src/kube/follow.ts";
import { readKubeconfig } from "../../src/kube/kubeconfig.ts";
import { KubeStub } from "../support/kube-stub.ts";
import { quiet } from "../support/quiet.ts";

let dir: string;
let kube: KubeStub;
let client: KubeClient;
let following: Following;
let pictures: string[][];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "slipway-follow-"));
  kube = new KubeStub();
  await kube.start();
  client = createKubeClient(await readKubeconfig(await kube.kubeconfig(join(dir, "kubeconfig"))));
  pictures = [];
  const onChange = (objects: ReadonlyMap<string, KubeObject>) => void pictures.push([...objects.keys()].sort());
  put("a");
  following = follow({ client, path: "/api/v1/services", log: quiet, random: () => 0.5, onChange });
  await until(() => pictures.length > 0, { what: "the first list" });
});

afterEach(async () => {
  await following.stop();
  client.close();
  await kube.die();
  await rm(dir, { recursive: true, force: true });
});

function put(name: string): void {
  kube.put("services", { metadata: { name, namespace: "prod" } });
}

async function shows(...names: string[]): Promise<void> {
  const wanted = names.map((name) => `prod/${name}`).join();
  await until(() => pictures.at(-1)?.join() === wanted, { what: `the picture shows ${wanted}` });
}

it("follows what is made, changed and deleted", async () => {
  await shows("a");
  put("b");
  await shows("a", "b");
  kube.remove("services", "prod", "a");

  await shows("b");
  expect(pictures.every((names) => names.length > 0)).toBe(true);
});

it("lists anew when the server has forgotten the past (410), and misses no deletion by that", async () => {
  await shows("a");
  kube.expire();
  kube.remove("services", "prod", "a");
  put("c");

  await shows("c");
});

it("keeps its picture while the server is away, and catches up", async () => {
  await shows("a");
  const before = pictures.length;
  await kube.die();
  put("b");
  expect(pictures.length).toBe(before);
  await kube.start();

  await shows("a", "b");
});
