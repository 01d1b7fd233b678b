import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DeploymentView,
  getDeployment,
  listNotifications,
  type PageView,
  rollbackDeployment,
} from "@slipway/contracts";
import { freePort, hasAddresses, realPart, until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { bundle } from "./support/bundle.ts";
import { splitOf } from "./support/mesh.ts";
import { type Platform, startPlatform } from "./support/platform.ts";
import { type RealRegions, startRealRegions } from "./support/real-regions.ts";
import { slipway } from "./support/slipway.ts";
import { steadyRequestsTo } from "./support/steady-requests.ts";
import { shipTurnable, type Turnable, turnBad } from "./support/turnable.ts";

const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];
const [istio, envoy, prometheus] = [realPart("istio"), realPart("envoy"), realPart("prometheus")];
const parts =
  etcd && kubernetes && crds && istio && envoy && prometheus
    ? { etcd, kubernetes, crds, istio, envoy, prometheus }
    : undefined;
const region = "us-east-1";
const timeoutMs = 180_000;

const Written = z.looseObject({
  metadata: z.looseObject({ annotations: z.record(z.string(), z.string()) }),
  spec: z.looseObject({
    http: z.array(
      z.looseObject({
        route: z.array(
          z.looseObject({ destination: z.looseObject({ host: z.string() }), weight: z.number().default(100) }),
        ),
      }),
    ),
  }),
});

/** The whole platform over one real API server with istiod, Envoy and Prometheus; the control plane is killed while a canary has 5%. */
describe.skipIf(parts === undefined || !hasAddresses())("while istiod is away, a canary at 5%", () => {
  let dataDir: string;
  let regions: RealRegions;
  let platform: Platform;
  let requests: ReturnType<typeof steadyRequestsTo>;
  let mesh: string;

  beforeAll(async () => {
    await bundle("real");
    dataDir = await mkdtemp(join(tmpdir(), "slipway-istiod-"));
    await chmod(dataDir, 0o755);
    regions = await startRealRegions(parts!, [region]);
    mesh = regions.meshes[region]!;
    const port = await freePort();
    platform = startPlatform({
      ...{ dataDir, args: ["--no-story"] },
      env: { SLIPWAY_REGIONS: regions.file, SLIPWAY_PORT: String(port) },
    });
    await platform.printed(/Yours now/, 400_000);
    await regions.runPods({ dataDir, registryHost: `127.0.0.1:${port}` });
    const first = await shipTurnable(platform, "istiod.1", true);
    await isThere(first, ({ status }) => status === "SUCCEEDED", "the first version at 100%");
    requests = steadyRequestsTo([mesh]);
  });
  afterEach(async () => {
    // One that runs is not to be started a second time: the next kill would be of the wrong one.
    await regions.istiods[region]?.kill();
    await regions.istiods[region]?.start();
  });
  afterAll(async () => {
    await requests?.stop();
    platform?.interrupt();
    await platform?.exit();
    await regions?.stop();
    if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true });
  });

  test("that a person takes back is written at once, said to be unproven while Envoy goes on with it, told after two minutes of that, and out once istiod is back, without a failed request", async () => {
    const canary = await canaryAtFive("istiod.2");
    const failedBefore = requests.counts().failed ?? 0;
    await regions.istiods[region]?.kill();

    const params = { id: canary.id };
    await platform.as("deployer").call(rollbackDeployment, { params, body: { reason: "it smells" } });
    await isWritten(canary);
    await isSaidToBeUnproven(canary);
    // It is not a matter of a moment.
    expect((await splitOf(mesh, 2_000))[canary.version]).toBeGreaterThan(0);
    expect((await viewOf(canary)).phase).toBe("restoring");
    await until(async () => (await toldOfMesh(canary)).length > 0, { what: "somebody to be told", timeoutMs });

    await isProvenOnceIstiodIsBack(canary);
    await until(async () => (await toldOfMesh(canary)).length > 1, {
      what: "it to be told that it follows",
      timeoutMs,
    });
    const about = `orders in prod (${canary.id})`;
    expect(await toldOfMesh(canary)).toEqual([
      `The mesh of ${region} does not follow: ${about}`,
      `The mesh of ${region} follows: ${about}`,
    ]);
    expect((requests.counts().failed ?? 0) - failedBefore).toBe(0);
  });

  test("that turns bad is caught and written at once, and said to be unproven for as long as it fails requests", async () => {
    const canary = await canaryAtFive("istiod.3");
    await regions.istiods[region]?.kill();

    await turnBad(platform, canary, [mesh]);
    await isWritten(canary);
    await isSaidToBeUnproven(canary);
    expect((await splitOf(mesh, 2_000))["status 500"]).toBeGreaterThan(0);

    await isProvenOnceIstiodIsBack(canary);
  });

  /** Titles of the notifications, in the order in which they were made. */
  async function toldOfMesh({ id }: Turnable): Promise<readonly string[]> {
    const { notifications } = await platform.as("viewer").call(listNotifications, { query: { page_size: 100 } });
    const own = notifications.filter(({ about, title }) => about === id && title.startsWith("The mesh of"));
    return own.map(({ title }) => title).toReversed();
  }

  const viewOf = ({ id }: Turnable): Promise<DeploymentView> =>
    platform.as("viewer").call(getDeployment, { params: { id } });

  async function isThere(turnable: Turnable, found: (view: DeploymentView) => boolean, what: string) {
    let last: DeploymentView | undefined;
    const look = async () => {
      last = await viewOf(turnable);
      return found(last) ? last : undefined;
    };
    return await until(look, { what, timeoutMs }).catch((cause: unknown) => {
      throw new Error(JSON.stringify(last), { cause });
    });
  }

  async function canaryAtFive(release: string): Promise<Turnable> {
    const canary = await shipTurnable(platform, release);
    await isThere(canary, ({ phase }) => phase === "baking", `the bake of ${release}`);
    const answers = async () => (requests.counts()[canary.version] ?? 0) > 0;
    await until(answers, { what: `Envoy to serve ${release}`, timeoutMs });
    return canary;
  }

  /** In the API server. */
  async function isWritten({ version }: Turnable): Promise<void> {
    const path = "/apis/networking.istio.io/v1/namespaces/prod/virtualservices/orders";
    const written = async () => {
      const { metadata, spec } = Written.parse(await regions.regions[region]?.api("GET", path));
      const routes = spec.http.flatMap(({ route }) => route);
      const own = routes.filter(({ destination }) => destination.host.startsWith(version));
      return (
        /\/shut\//.test(metadata.annotations["slipway.dev/fence"] ?? "") && own.every(({ weight }) => weight === 0)
      );
    };
    await until(written, { what: "weight 0 behind a shut gate in the API server", timeoutMs });
  }

  /** By the API, the command line and the page. */
  async function isSaidToBeUnproven(canary: Turnable): Promise<void> {
    const view = await isThere(
      canary,
      ({ regions: { [region]: own } }) => /still sends it requests/.test(own?.reason ?? ""),
      "the reason",
    );
    expect(view.status).toBe("ROLLING_BACK");
    const own = view.regions[region];
    expect(own).toMatchObject({ weight_percent: 0, unproven: { from_percent: 5 } });
    expect(Date.now() - Date.parse(own?.unproven?.since ?? "")).toBeLessThan(timeoutMs);
    expect(view.waiting?.for).toBe(`proof from the mesh of ${region}, where weight 0 is written`);
    const { out } = await slipway(dataDir, "status", canary.id);
    expect(out).toContain(`written at ${own?.unproven?.since}, not yet proven in its mesh (it served 5%)`);
    expect(out).toMatch(/still sends it requests .*istiod brings them/);
    const page = await pageNow();
    expect(page.focus?.deployment.regions[region]?.unproven).toEqual(own?.unproven);
    // What the mesh was last known to serve, and not what was written.
    expect(page.regions[0]?.served).toContainEqual({ version: canary.version, percent: 5 });
    expect(page.focus?.exposure_percent).toBe(5);
  }

  async function isProvenOnceIstiodIsBack(canary: Turnable): Promise<void> {
    await regions.istiods[region]?.start();
    const ended = await isThere(canary, ({ status }) => status === "ROLLED_BACK", "ROLLED_BACK");
    expect(ended.regions[region]).not.toHaveProperty("unproven");
    const split = await splitOf(mesh, 2_000);
    expect(Object.values(split)).toEqual([2_000]);
    expect(Object.keys(split)).not.toContain(canary.version);
    const isShown = async () => {
      const { regions: shown, focus } = await pageNow();
      const served = shown[0]?.served?.map(({ version }) => version);
      return served?.includes(canary.version) === false && focus?.exposure_percent === 0;
    };
    await until(isShown, { what: "the page to show the baseline alone", timeoutMs });
  }

  /** The first event of the live page. */
  async function pageNow(): Promise<PageView> {
    const leave = new AbortController();
    const answer = await fetch(new URL("/page/events", platform.endpoints().platform?.url), {
      headers: { authorization: `Bearer ${platform.token("viewer")}` },
      signal: leave.signal,
    });
    let text = "";
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const found = /^data: (.*)\n\n/m.exec(text)?.[1];
      if (found === undefined) continue;
      leave.abort();
      return JSON.parse(found) as PageView;
    }
    throw new Error(`the page said: ${text}`);
  }
});
