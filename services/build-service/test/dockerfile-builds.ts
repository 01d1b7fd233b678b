import { join } from "node:path";
import { instant } from "@slipway/kernel";
import { RegistryClient, writeImage } from "@slipway/oci";
import {
  type BuildsCluster,
  type BuildsParts,
  builderImage,
  makeSmallRoot,
  runnerImage,
  startBuildsCluster,
} from "@slipway/testkit";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

/** A build service whose steps are Jobs of a real API server, and Dockerfiles built by BuildKit there. */
export type DockerfileBuilds = {
  readonly cluster: BuildsCluster;
  readonly platform: Platform;
  readonly executorUrl: string;
  /** An image of a shell and a few tools in the platform's own registry, as a FROM line names it, and by digest. */
  readonly base: { readonly from: string; readonly pinned: string };
  /** Pushes such an image with one more file; answers its digest. */
  pushBase(tag: string): Promise<string>;
  /** A registered service of its own. */
  service(): Promise<{ readonly service: string; readonly repository: TestRepository }>;
  built(pushed: { readonly url: string; readonly sha: string }, branch?: string): Promise<Built>;
  close(): Promise<void>;
};

type Built = Awaited<ReturnType<Platform["ended"]>> & { readonly log: string };

export async function startDockerfileBuilds(
  parts: BuildsParts,
  env: Record<string, string> = {},
): Promise<DockerfileBuilds> {
  const cluster = await startBuildsCluster(parts);
  const query = { image: runnerImage, start_seconds: "60", buildkit_image: builderImage, disk_mib: "64" };
  const executorUrl = `kubernetes://${cluster.kubeconfig}?${new URLSearchParams(query)}`;
  const platform = await startBuildService({ SLIPWAY_EXECUTOR: executorUrl, ...env });
  const pushBase = (tag: string) => pushRoot(platform, tag);
  const from = `${new URL(platform.host.url).host}/base:1`;
  const base = { from, pinned: `${from}@${await pushBase("1")}` };
  let count = 0;
  return {
    ...{ cluster, platform, executorUrl, base, pushBase },
    async service() {
      count += 1;
      const service = `boxed-${count}`;
      const repository = await testRepository(platform.folder, service, false);
      await platform.register(service, repository.url);
      return { service, repository };
    },
    async built({ url, sha }, branch = "main") {
      const id = await platform.buildOf(await platform.push({ url, sha, ref: `refs/heads/${branch}` }));
      const view = await platform.ended(id);
      return { ...view, log: await platform.log(id) };
    },
    async close() {
      await platform.close();
      await cluster.stop();
    },
  };
}

async function pushRoot(platform: Platform, tag: string): Promise<string> {
  const dir = join(platform.folder, `base-root-${tag}`);
  await makeSmallRoot(dir, ["head", "sleep", "wc", ...(tag === "1" ? [] : ["rm"])]);
  const auth = { username: "build-service", password: platform.host.tokens.get("build-service") ?? "" };
  const client = new RegistryClient({ url: platform.host.url, auth });
  const { digest } = await writeImage({
    ...{ client, base: [], files: { dir, copy: ["."], at: "" }, command: ["/bin/sh"], workingDir: "/" },
    ...{ user: "0:0", createdAt: instant("2026-01-05T09:00:00.000Z") },
    ...{ repository: "base", tag, cacheDir: join(platform.folder, "base-layers") },
  });
  await client.close();
  return digest;
}
