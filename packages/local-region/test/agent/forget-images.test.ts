import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { forgetImages } from "../../src/agent/forget-images.ts";
import type { KubeClient } from "../../src/kube/client.ts";

const dayMs = 24 * 3_600_000;
const unusedMs = 7 * dayMs;
let imagesDir: string;
let holder: ChildProcess | undefined;

beforeEach(async () => {
  imagesDir = await mkdtemp(join(tmpdir(), "slipway-forget-"));
});
afterEach(async () => {
  holder?.kill("SIGKILL");
  holder = undefined;
  await rm(imagesDir, { recursive: true, force: true });
});

const hex = (digit: string) => digit.repeat(64);
const reference = (digit: string) => `127.0.0.1:1/app@sha256:${hex(digit)}`;

async function unpacked(digit: string, ageMs: number, folder = imagesDir, mark = "image.json"): Promise<void> {
  const home = join(folder, hex(digit));
  await mkdir(join(home, "root/bin"), { recursive: true });
  await writeFile(join(home, mark), "{}");
  const at = new Date(Date.now() - ageMs);
  await utimes(join(home, mark), at, at);
}

/** A region with a pod of one image and a workload of another, which has no pods. */
function region(pod: string, workload: string): Pick<KubeClient, "call"> {
  const of = (image: string) => ({ containers: [{ image: reference(image) }] });
  const lists: Record<string, object> = {
    "/api/v1/pods": { items: [{ spec: of(pod) }, {}] },
    "/apis/apps/v1/deployments": { items: [{ spec: { replicas: 0, template: { spec: of(workload) } } }] },
  };
  return { call: async (_method, path) => lists[path] };
}

const left = async (folder = imagesDir) => (await readdir(folder)).map((name) => name[0]).sort();

it("an image goes once no pod and no workload has had it for long, and nobody else has wanted it", async () => {
  await unpacked("1", 30 * dayMs);
  await unpacked("2", 30 * dayMs);
  await unpacked("3", 30 * dayMs);
  await unpacked("4", 6 * dayMs);
  const layers = join(imagesDir, "layers");
  await unpacked("5", 30 * dayMs, layers, "complete");
  await unpacked("6", 1 * dayMs, layers, "complete");
  await mkdir(join(imagesDir, "notes"));

  const removed = await forgetImages({ client: region("1", "2"), imagesDir, unusedMs });

  expect([...removed].sort()).toEqual([hex("3"), hex("5")]);
  expect(await left()).toEqual(["1", "2", "4", "l", "n"]);
  expect(await left(layers)).toEqual(["6"]);
  // What the region has was marked: the time begins when its last workload goes.
  expect(await forgetImages({ client: region("9", "9"), imagesDir, unusedMs })).toEqual([]);
});

it("nothing goes where the region does not answer, and what was left half made goes in time", async () => {
  await unpacked("1", 30 * dayMs);
  const away = { call: () => Promise.reject(new Error("away")) };
  await expect(forgetImages({ client: away, imagesDir, unusedMs })).rejects.toThrow("away");
  expect(await left()).toEqual(["1"]);

  const half = join(imagesDir, ".making-x");
  await mkdir(half);
  const long = new Date(Date.now() - 30 * dayMs);
  await utimes(half, long, long);
  await forgetImages({ client: region("1", "1"), imagesDir, unusedMs });

  expect(await left()).toEqual(["1"]);
});

it("an image that a process still runs from stays, whoever forgot to mark it", async () => {
  await unpacked("1", 30 * dayMs);
  const from = join(imagesDir, hex("1"), "root/bin");
  const script = 'mount --bind "$1" /mnt && echo held && exec sleep 600';
  const namespaces = ["--user", "--map-root-user", "--mount", "--", "sh", "-ec", script, "hold", from];
  holder = spawn("unshare", namespaces, { stdio: ["ignore", "pipe", "inherit"] });
  if (holder.stdout !== null) await once(holder.stdout, "data");

  await forgetImages({ client: region("9", "9"), imagesDir, unusedMs });

  expect(await left()).toEqual(["1"]);
});
