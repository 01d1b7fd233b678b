import { getDeployment, listBuilds, listDeployments } from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { killAndAwait, killPostgres } from "../support/comes-back.ts";
import { trafficWrites } from "../support/fences.ts";
import { servedNow } from "../support/mesh.ts";
import { type Platform, startPlatform } from "../support/platform.ts";
import { podsOf, processesOf } from "../support/processes.ts";
import { isInstalled } from "../support/real/readme.ts";
import { seeThatItIsReal } from "../support/real/see-that-it-is-real.ts";
import { curl, slipway } from "../support/slipway.ts";
import { steadyRequests } from "../support/steady-requests.ts";

const { dataDir } = inject("story");
const regions = ["us-east-1", "eu-west-1", "ap-southeast-1"] as const;
const Answer = z.looseObject({ deployment_id: z.string(), status: z.string() });

let platform: Platform;
let url = "";
/** What the row-8 calls deploy, and as which deployment. */
const deploying = { sha: "", id: "" as DeploymentId, version: "" };

beforeAll(async () => {
  platform = startPlatform({ dataDir, args: ["--no-story"] });
  await platform.printed(/Yours now/);
  url = platform.endpoints().platform?.url ?? "";
  const { deployments } = await platform.as("viewer").call(listDeployments, { query: { page_size: 100 } });
  const initial = deployments.find((deployment) => deployment.initial);
  deploying.sha = initial?.git_sha ?? "";
});

afterAll(async () => {
  await real.whatKubectlShowed();
  real.clean();
  if (processesOf(dataDir).length === 0) return;
  platform.signal("SIGTERM");
  await platform.exit();
});

const view = () => platform.as("viewer").call(getDeployment, { params: { id: deploying.id } });
const allServe = (weight: number) => async () =>
  Object.values(await servedNow(platform.endpoints().regions, deploying.version)).every((now) => now === weight);

describe("a platform that stays up", () => {
  test("is found by a second start, which prints its address and exits 3", async () => {
    const second = startPlatform({ dataDir });
    expect(await second.exit()).toBe(3);
    expect(second.output()).toContain(url);
  });

  test("says where everything is, with a token", () => {
    for (const text of [`${url}/docs`, `${url}/inbox`, `${url}/git/orders.git`, platform.token("deployer")])
      expect(platform.output()).toContain(text);
  });
});

describe("the three calls of the product, by curl", () => {
  const json = ["-H", "Content-Type: application/json"];

  test("POST /api/v1/deployments answers with an id and IN_PROGRESS", async () => {
    const body = { service: "orders", version: deploying.sha, strategy: "canary", canary_percent: 5, regions };
    const token = platform.token("deployer");
    const answer = await curl(token, "-X", "POST", ...json, "-d", JSON.stringify(body), `${url}/api/v1/deployments`);
    expect(answer.status, JSON.stringify(answer.body)).toBe(202);
    const { deployment_id, status } = Answer.parse(answer.body);
    expect(status).toBe("IN_PROGRESS");
    expect(deployment_id).toMatch(/^D-\d+$/);
    deploying.id = deployment_id as DeploymentId;
    deploying.version = (await view()).version;
  });

  test("GET its /status answers with both error rates and the minutes that remain", async () => {
    const ask = () => curl(platform.token("viewer"), `${url}/api/v1/deployments/${deploying.id}/status`);
    const { body } = await until(
      async () => {
        const answer = await ask();
        return Answer.parse(answer.body).status === "CANARY_MONITORING" ? answer : undefined;
      },
      { what: "CANARY_MONITORING" },
    );
    const rate = z.number().nullable();
    z.looseObject({ canary_error_rate: rate, baseline_error_rate: rate, time_remaining_min: rate }).parse(body);
    await until(allServe(5), { what: "5% in every region" });
  });
});

const real = seeThatItIsReal(() => ({ platform, version: deploying.version, sha: deploying.sha }));

describe("a process that is killed while a canary waits for its evidence", () => {
  test("a mesh serves the same weights again", async () => {
    await killAndAwait(dataDir, "mesh-eu-west-1");
    await until(allServe(5), { what: "5% in every region" });
  });

  test("a pod is started again", async () => {
    const canaries = () => [...podsOf(dataDir, regions[0])].filter(([name]) => name.startsWith(deploying.version));
    const [first] = canaries();
    if (first === undefined) throw new Error("the canary has no pod");
    process.kill(first[1], "SIGKILL");
    await until(() => canaries().find(([name, pid]) => name === first[0] && pid !== first[1]), {
      what: "another process of the pod",
    });
  });

  test("Postgres is started again, and the API answers from it", async () => {
    await killPostgres(dataDir);
    await until(async () => (await curl(platform.token("viewer"), `${url}/readyz`)).status === 200, {
      what: "readiness",
    });
    expect((await view()).status).toBe("CANARY_MONITORING");
  });
});

describe("slipway, the command line", () => {
  test("status tells of the deployment, for people and as JSON", async () => {
    const text = await slipway(dataDir, "status", deploying.id);
    expect(text.code, text.err).toBe(0);
    for (const part of [deploying.id, "CANARY_MONITORING", "5% -> 25% -> 50% -> 100%", ...regions])
      expect(text.out).toContain(part);
    const json = await slipway(dataDir, "--json", "status", deploying.id);
    expect(Answer.parse(JSON.parse(json.out)).deployment_id).toBe(deploying.id);
  });

  test("a typing error is answered with the nearest command and exit code 2", async () => {
    const ran = await slipway(dataDir, "statsu", deploying.id);
    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(/Did you mean status\?/);
  });

  test("what is no deployment is told apart from one that is unknown", async () => {
    const nonsense = await slipway(dataDir, "status", "456");
    expect([nonsense.code, nonsense.err !== ""]).toEqual([2, true]);
    const unknown = await slipway(dataDir, "status", "D-99999");
    expect(unknown.code).toBe(1);
    expect(unknown.err).toMatch(/D-99999/);
  });

  test("a step that is not the present one is not promoted", async () => {
    const ran = await slipway(dataDir, "promote", deploying.id, "--expected-step", "2");
    expect(ran.code, ran.out).toBe(1);
    expect(ran.err).not.toBe("");
  });

  test("a viewer's token deploys nothing", async () => {
    const token = platform.token("viewer");
    const ran = await slipway(dataDir, "--token", token, "deploy", "orders", deploying.sha);
    expect(ran.code).toBe(1);
    expect(ran.err).toMatch(/\(auth\.|forbidden/);
  });

  test("logs prints a build's log to its end", async () => {
    const { builds } = await platform.as("viewer").call(listBuilds, { query: { page_size: 100 } });
    const ran = await slipway(dataDir, "logs", builds.at(-1)?.build_id ?? "");
    expect(ran.code, ran.err).toBe(0);
    expect(ran.out.split("\n").length).toBeGreaterThan(5);
  });

  test("artifacts promote answers with the promotion that was made already, and refuses what cannot be", async () => {
    const { digest } = await view();
    const again = await slipway(dataDir, "artifacts", "promote", digest, "--to", "staging");
    expect(again.code, again.err).toBe(0);
    expect(again.out).toMatch(/^P-\d+ [A-Z]+: dev -> staging/);
    const unknown = await slipway(dataDir, "artifacts", "promote", `sha256:${"0".repeat(64)}`, "--to", "staging");
    expect(unknown.code).toBe(1);
    expect(unknown.err).toMatch(/not.found/);
    const nowhere = await slipway(dataDir, "artifacts", "promote", digest);
    expect([nowhere.code, nowhere.err.includes("--to")]).toEqual([2, true]);
  });
});

describe("the deployment afterwards", () => {
  test("POST its /promote, without a body, goes on when there is evidence", async () => {
    const at = `${url}/api/v1/deployments/${deploying.id}/promote`;
    const answer = await curl(platform.token("deployer"), "-X", "POST", at);
    expect(answer.status, JSON.stringify(answer.body)).toBe(202);
    expect(answer.body).toMatchObject({ status: "ROLLING_OUT", progress: "5% -> 25% -> 50% -> 100%" });
  });

  test("ends SUCCEEDED once a name stands for the evidence of 5% and requests bring that of the next steps; status --watch ends with it", async () => {
    const watching = slipway(dataDir, "status", deploying.id, "--watch");
    const named = await slipway(dataDir, "--as", "approver", "approve", deploying.id);
    expect(named.code, named.err).toBe(0);
    const requests = steadyRequests(platform.endpoints().regions);
    await until(async () => (await view()).status === "SUCCEEDED", { what: "SUCCEEDED", timeoutMs: 90_000 });
    await requests.stop();
    const ran = await watching;
    expect(ran.code, ran.out + ran.err).toBe(0);
    expect(ran.out).toContain("SUCCEEDED");
    expect(await allServe(100)()).toBe(true);
  });

  test("is taken back by slipway rollback, and status --watch says so by its exit code", async () => {
    const ran = await slipway(dataDir, "rollback", deploying.id, "--reason", "a test");
    expect(ran.code, ran.err).toBe(0);
    expect(ran.out).toContain("ROLLING_BACK");
    const watched = await slipway(dataDir, "status", deploying.id, "--watch");
    expect(watched.code).toBe(5);
    expect(watched.out).toContain("ROLLED_BACK");
    expect(await allServe(0)()).toBe(true);
  });

  test("every weight was seen with the fence open, and the return with the fence shut", async () => {
    const about = (gate: string) =>
      trafficWrites(dataDir, regions[0])
        .filter((write) => write.deployment === deploying.id && write.gate === gate)
        .map((write) => write.weights[deploying.version] ?? 0);
    expect([...new Set(about("open"))].filter((weight) => weight > 0)).toEqual([5, 25, 50, 100]);
    expect(about("shut").at(-1)).toBe(0);
  });

  test.skipIf(!isInstalled("kubectl"))(
    "kubectl, left watching (where it is installed), has shown the same",
    async () => {
      const shown = (await real.whatKubectlShowed()) ?? "";
      for (const weight of [5, 25, 50])
        expect(shown).toMatch(new RegExp(`host: ${deploying.version}\\n +weight: ${weight}\\n`));
      expect(shown).toMatch(new RegExp(`fence: \\d+/\\d+/open/${deploying.id}`));
      expect(shown).toMatch(new RegExp(`fence: \\d+/\\d+/shut/${deploying.id}`));
    },
  );

  test("Ctrl-C ends everything: exit code 0, and no process left", async () => {
    expect(processesOf(dataDir).length).toBeGreaterThan(10);
    platform.interrupt();
    expect(await platform.exit()).toBe(0);
    expect(processesOf(dataDir)).toEqual([]);
  });
});
