import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Digest } from "@slipway/kernel";
import { markImageUse, removeUnusedImages } from "@slipway/oci";
import { z } from "zod";
import type { KubeClient } from "../kube/client.ts";

const Containers = z.array(z.looseObject({ image: z.string().optional() })).nullish();
const PodSpec = z.looseObject({ containers: Containers, initContainers: Containers });
const Pods = z.looseObject({ items: z.array(z.looseObject({ spec: PodSpec.optional() })) });
const Deployments = z.looseObject({
  items: z.array(z.looseObject({ spec: z.looseObject({ template: z.looseObject({ spec: PodSpec }) }) })),
});

/**
 * Removes unpacked images that for so long neither a pod nor a workload of this region had, nor anybody else who shares the folder has wanted. What a
 * region has is marked at each look, so that the time begins when its last workload goes: a version that was retired can be returned to at once
 * meanwhile, and pulls its image again afterwards. Throws where the region does not answer; then nothing is removed.
 */
export async function forgetImages(options: {
  readonly client: Pick<KubeClient, "call">;
  readonly imagesDir: string;
  readonly unusedMs: number;
}): Promise<readonly string[]> {
  const { client, imagesDir, unusedMs } = options;
  for (const digest of await imagesInUse(client)) await markImageUse(imagesDir, digest);
  let mounts: Promise<string> | undefined;
  // Pods outlive a region that is away, and nobody marks their images then.
  const isHeld = async (folder: string) => {
    mounts ??= readMounts();
    return (await mounts).includes(`/${basename(folder)}/`);
  };
  return removeUnusedImages({ into: imagesDir, unusedMs, isHeld });
}

async function imagesInUse(client: Pick<KubeClient, "call">): Promise<ReadonlySet<Digest>> {
  const [pods, deployments] = await Promise.all([
    client.call("GET", "/api/v1/pods"),
    client.call("GET", "/apis/apps/v1/deployments"),
  ]);
  const specs = [
    ...Pods.parse(pods).items.map(({ spec }) => spec),
    ...Deployments.parse(deployments).items.map(({ spec }) => spec.template.spec),
  ];
  const containers = specs.flatMap((spec) => [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]);
  const images = containers.map(({ image = "" }) => image);
  return new Set(images.flatMap((image) => (/@(sha256:[0-9a-f]{64})$/.exec(image)?.[1] as Digest | undefined) ?? []));
}

/** What every process that may be looked at has mounted. */
async function readMounts(): Promise<string> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => "")));
  return texts.join("");
}
