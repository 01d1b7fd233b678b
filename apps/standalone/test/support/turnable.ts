import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  approvePromotion,
  type BuildView,
  createDeployment,
  type DeploymentRequest,
  getArtifact,
  getDeployment,
  listBuilds,
  requestPromotion,
} from "@slipway/contracts";
import type { DeploymentId, Digest, EnvironmentName, GitSha } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { Agent, request } from "undici";
import { home } from "./bundle.ts";
import { answeredBy } from "./mesh.ts";
import type { Platform } from "./platform.ts";
import { runCommand } from "./run-command.ts";

/** A canary at 5% that stays there (its bake is ten minutes) and serves well until it is told to turn. */
export type Turnable = {
  readonly id: DeploymentId;
  readonly release: string;
  readonly version: string;
  readonly digest: Digest;
};

const behaviour = (release: string) => `export const release = "${release}";
export let isReady = true;
let bad = false;

export async function beforeAnswer(_sequence, url) {
  if (url === "/orders/be-unready?${release}") isReady = false;
  else if (url === "/orders/turn-bad?${release}") bad = true;
  else if (bad) throw new Error("it has turned");
}
`;

/** Commits, pushes, builds and promotes such a version of the story's service, and asks for its canary; `first`: nothing serves before it. */
export async function shipTurnable(platform: Platform, release: string, first = false): Promise<Turnable> {
  const sha = await pushed(platform, release);
  const digest = await built(platform, sha);
  await promoted(platform, digest);
  return { release, ...(await deployed(platform, digest, first ? "approver" : "deployer", first)) };
}

/** Asks for a canary of what was taken back before, which an approver may; its pods are new ones and have not turned. */
export async function shipAgain(platform: Platform, { release, digest }: Turnable): Promise<Turnable> {
  return { release, ...(await deployed(platform, digest, "approver")) };
}

async function deployed(
  platform: Platform,
  digest: Digest,
  as: "deployer" | "approver",
  first = false,
): Promise<Omit<Turnable, "release">> {
  const own = Object.keys(regionsOf(platform));
  // Of regions that are somebody else's it has no endpoints: those are all meant.
  const regions = own.length === 0 ? {} : { regions: own };
  const body = { service: "orders", version: digest, strategy: "canary", confirm_initial: first, ...regions };
  const { deployment_id } = await platform.as(as).call(createDeployment, {
    query: {},
    body: body as unknown as DeploymentRequest,
    idempotencyKey: crypto.randomUUID(),
  });
  const id = deployment_id as DeploymentId;
  const { version } = await platform.as("viewer").call(getDeployment, { params: { id } });
  return { id, version, digest };
}

const regionsOf = (platform: Platform) => platform.endpoints().regions;

/** Pushes a commit of such a version. */
export async function pushed(platform: Platform, release: string): Promise<GitSha> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-turnable-"));
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", ...args], {
      cwd: folder,
    }).toString();
  const edit = (path: string, change: (text: string) => string) =>
    writeFileSync(join(folder, path), change(readFileSync(join(folder, path), "utf8")));
  try {
    cpSync(join(home, "examples/order-service"), folder, { recursive: true });
    edit("slipway.yaml", (text) => text.replaceAll(/replicas: \d+/g, "replicas: 2"));
    edit("src/behaviour.mjs", () => behaviour(release));
    edit("src/app.mjs", (text) =>
      text
        .replace("beforeAnswer(sequence)", "beforeAnswer(sequence, request.url)")
        .replace("{ beforeAnswer, release }", "{ beforeAnswer, isReady, release }")
        .replace('answer(200, { status: "ok"', 'answer(isReady ? 200 : 503, { status: "ok"'),
    );
    git("init", "--quiet", "--initial-branch=main");
    git("add", "--all");
    git("commit", "--quiet", "-m", `feat: ${release}`);
    const url = new URL("/git/orders.git", platform.endpoints().platform?.url);
    url.username = "deployer";
    url.password = platform.token("deployer");
    const push = await runCommand("git", ["-C", folder, "push", "--force", url.href, "main"]);
    if (push.code !== 0) throw new Error(push.err);
    return git("rev-parse", "HEAD").trim() as GitSha;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function built(platform: Platform, sha: GitSha): Promise<Digest> {
  const build = await until(
    async (): Promise<BuildView | undefined> => {
      const query = { git_sha: sha, page_size: 1 };
      const { builds } = await platform.as("viewer").call(listBuilds, { query });
      return builds.find(({ status }) => status !== "QUEUED" && status !== "RUNNING");
    },
    { timeoutMs: 180_000, what: `the build of ${sha}` },
  );
  if (build.digest === null) throw new Error(`${build.status}: ${build.reason}`);
  return build.digest;
}

async function promoted(platform: Platform, digest: Digest): Promise<void> {
  for (const to of ["staging", "prod"] as EnvironmentName[]) {
    const asked = await platform.as("deployer").call(requestPromotion, { params: { digest }, body: { to } });
    if (asked.approvals_needed > 0) {
      const params = { id: asked.promotion_id };
      await platform.as("approver").call(approvePromotion, { params, body: { reason: "for the test" } });
    }
    await until(
      async () => {
        const { environments } = await platform.as("viewer").call(getArtifact, { params: { digest } });
        return environments.some(({ environment }) => environment === to);
      },
      { timeoutMs: 60_000, what: `the promotion to ${to}` },
    );
  }
}

/** At 5% every twentieth request reaches the canary. */
const mostRounds = 20;

const meshesOf = (platform: Platform) =>
  Object.values(regionsOf(platform)).map(({ mesh }) => `http://127.0.0.1:${mesh}`);

/** Asks the canary of each region for what turns it, and it alone: most of these go to the baseline. One that is caught meanwhile is asked no more: it gets no requests. */
export async function turnBad(platform: Platform, shipped: Turnable, meshes = meshesOf(platform)): Promise<void> {
  await turn(meshes, shipped, "turn-bad");
}

/** From now on its pods say that they are not ready, and answer well whoever asks them. */
export async function turnUnready(platform: Platform, shipped: Turnable): Promise<void> {
  await turn(meshesOf(platform), shipped, "be-unready");
}

async function turn(meshes: readonly string[], { release, version }: Turnable, how: string): Promise<void> {
  const agent = new Agent({ connections: 20, pipelining: 1 });
  await Promise.all(
    meshes.map(async (mesh) => {
      for (let round = 0, turned = 0; turned < 4 && round < mostRounds; round += 1) {
        const answers = await Promise.all(
          Array.from({ length: 20 }, () =>
            request(`${mesh}/orders/${how}?${release}`, {
              dispatcher: agent,
              headers: { host: "orders.prod" },
            }),
          ),
        );
        for (const { body, headers } of answers) {
          await body.dump();
          if (answeredBy(headers) === version) turned += 1;
        }
      }
    }),
  );
  await agent.close();
}
