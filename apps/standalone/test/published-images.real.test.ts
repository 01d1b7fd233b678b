import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDeployment, getArtifact, getDeployment, publishArtifact, rollbackDeployment } from "@slipway/contracts";
import type { DeploymentId, Digest } from "@slipway/kernel";
import { RegistryClient } from "@slipway/oci";
import { type RealRegistry, realPart, startForeignRegistry, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "./support/bundle.ts";
import { baseLayer, foreignImage, type Layer } from "./support/foreign-image.ts";
import { type Platform, startPlatform } from "./support/platform.ts";
import { runCommand } from "./support/run-command.ts";
import { slipway } from "./support/slipway.ts";

const part = realPart("registry");
const spec = `version: 1
service: shop
workload: { replicas: 1, ready: { path: /ready } }
deploy: { steps: [{ weight: 5, bake: 0s }, { weight: 100 }] }
`;

let folder: string;
let dataDir: string;
let registry: RealRegistry;
let platform: Platform;
let base: Layer;

beforeAll(async () => {
  if (part === undefined) return;
  await bundle("real");
  folder = await mkdtemp(join(tmpdir(), "slipway-published-"));
  await chmod(folder, 0o755);
  dataDir = join(folder, "data");
  registry = await startForeignRegistry(part, { open: true });
  await writeFile(join(folder, "slipway.yaml"), spec);
  base = baseLayer(folder);
  const env = { SLIPWAY_PUBLISH_TO: `${host()}/slipway` };
  platform = startPlatform({ dataDir, args: ["--no-story"], env });
  await platform.printed(/Yours now/, 200_000);
});
afterAll(async () => {
  if (folder === undefined) return;
  platform?.interrupt();
  await platform?.exit();
  await registry?.stop();
  await rm(folder, { recursive: true, force: true });
});

const host = () => `127.0.0.1:${registry.port}`;
const look = (id: DeploymentId) => platform.as("viewer").call(getDeployment, { params: { id } });

async function reaches(id: DeploymentId, status: string) {
  const found = async () => ((view) => (view.status === status ? view : undefined))(await look(id));
  return until(found, { timeoutMs: 120_000, what: `${id} to be ${status}` }).catch(async (cause: unknown) => {
    throw new Error(JSON.stringify(await look(id), null, 1), { cause });
  });
}

/** An image that somebody has built, registered as it is done at the command line. */
async function added(greeting: string, commit: string): Promise<Digest> {
  const image = foreignImage(folder, base, { greeting });
  const into = new RegistryClient({ url: registry.url });
  for (const { bytes, digest } of image.blobs) {
    const open = async function* (from: number) {
      yield bytes.subarray(from);
    };
    await into.pushBlob("vendor/shop", { digest: digest as Digest, size: bytes.length, open });
  }
  await into.putManifest("vendor/shop", image.digest, { mediaType: image.mediaType, bytes: image.manifest });
  await into.close();
  const source = `${host()}/vendor/shop@${image.digest}`;
  const options = ["--service", "shop", "--git-sha", commit, "--file", join(folder, "slipway.yaml")];
  const { code, out, err } = await slipway(dataDir, "artifacts", "add", source, ...options);
  expect(code, out + err).toBe(0);
  return image.digest as Digest;
}

async function deploy(version: Digest): Promise<DeploymentId> {
  const body = { service: "shop" as never, version, strategy: "canary" as const, environment: "dev" as never };
  const idempotencyKey = crypto.randomUUID();
  const { deployment_id } = await platform.as("deployer").call(createDeployment, { query: {}, body, idempotencyKey });
  return deployment_id as DeploymentId;
}

/** Images of the pods in a region, as its nodes were told them. */
async function imagesOfPods(): Promise<readonly string[]> {
  const [region = ""] = Object.keys(platform.endpoints().regions);
  const kubeconfig = join(dataDir, "regions", region, "api", "kubeconfig");
  const path = "{.items[*].spec.containers[*].image}";
  const { out, err } = await runCommand("kubectl", [
    ...["--kubeconfig", kubeconfig, "-n", "dev", "get", "pods"],
    ...["-o", `jsonpath=${path}`],
  ]);
  if (out === "") throw new Error(err);
  return out.split(" ");
}

describe.skipIf(part === undefined)("a platform whose images are published to a registry of others", () => {
  let first: Digest;
  let second: DeploymentId;

  test("deploys from there, and the node pulls from there", async () => {
    first = await added("hello", "a".repeat(40));

    await reaches(await deploy(first), "SUCCEEDED");

    const image = `${host()}/slipway/shop@${first}`;
    expect(new Set(await imagesOfPods())).toEqual(new Set([image]));
    expect((await slipway(dataDir, "artifacts", "publish", first)).out).toContain(`${image} is there.`);
  });

  test("waits while that registry is away, says so, and goes on by itself when it is back", async () => {
    const next = await added("again", "b".repeat(40));
    await until(async () => (await published(next)) === "PUBLISHED", { what: "it to be published" });
    // As if it had not been copied yet when the registry went away.
    await registry.kill();
    await platform.as("deployer").call(publishArtifact, { params: { digest: next }, body: {} });
    second = await deploy(next);
    const waits = await until(
      async () => ((view) => (view.waiting?.for.includes("copied") === true ? view : undefined))(await look(second)),
      { what: "it to say what it waits for" },
    );
    const { out } = await slipway(dataDir, "status", second);
    await registry.start();

    await reaches(second, "SUCCEEDED");

    expect(waits.phase).toBe("accepted");
    expect(waits.waiting?.for).toContain(`its image, which is being copied to ${host()}`);
    expect(out).toContain(`which is being copied to ${host()}`);
  });

  test("is rolled back while that registry is away", async () => {
    await registry.kill();

    await platform.as("deployer").call(rollbackDeployment, { params: { id: second }, body: { reason: "a test" } });

    await reaches(second, "ROLLED_BACK");
    await until(async () => (await imagesOfPods()).every((image) => image.endsWith(first)), {
      what: "the pods of the first version alone",
      timeoutMs: 60_000,
    });
    await registry.start();
  });
});

async function published(digest: Digest): Promise<string | undefined> {
  const { publication } = await platform.as("viewer").call(getArtifact, { params: { digest } });
  return publication?.status;
}
