import { execFile } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BuildView, getBuild, putRepository } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import type { PlatformApart } from "./platform-apart.ts";

const run = promisify(execFile);
/** Names the version that is to fail this request: its answer is the subject of its commit. */
export const failsHeader = "x-fails";
const secret = "a webhook secret of some length";
/** Fails those who ask it to, so that every pod of a version turns bad at the moment that a test says. */
const server = (answer: string) => `import { createServer } from "node:http";
createServer((request, response) => {
  if (request.headers["${failsHeader}"] === "${answer}") response.statusCode = 500;
  response.end("${answer}");
}).listen(process.env.PORT, process.env.HOST);
`;
const slipwayYaml = (more: string) => `version: 1
service: shop
pipeline:
  compile: { run: node --check server.mjs && cp server.mjs made.mjs }
  unit: { needs: [compile], run: test -s made.mjs }
  lint: { needs: [compile], run: test -s made.mjs }
  slow: { needs: [unit, lint], run: 'node -e "let n = 0; const t = setInterval(() => { console.log(++n); if (n === 6) clearInterval(t); }, 500)"' }
image: { base: node24, copy: [server.mjs], command: [node, server.mjs] }
workload: { replicas: 1, ready: { path: /, timeout: 60s } }
${more}`;

export type Shop = {
  readonly url: string;
  /** Its first commit. */
  readonly sha: string;
  /** One more, whose image is another. */
  commit(answer: string): Promise<string>;
};

/** A service in a repository on disk, which the platform knows. `more`: of its slipway.yaml. */
export async function shopRepository(platform: PlatformApart, more = ""): Promise<Shop> {
  const tree = join(platform.folder, "shop");
  await mkdir(tree);
  await writeFile(join(tree, "slipway.yaml"), slipwayYaml(more));
  const person = { GIT_AUTHOR_NAME: "Ada", GIT_AUTHOR_EMAIL: "a@b.c", GIT_COMMITTER_NAME: "Ada" };
  const env = { ...process.env, ...person, GIT_COMMITTER_EMAIL: "a@b.c", GIT_CONFIG_GLOBAL: "/dev/null" };
  const git = async (...args: string[]) => (await run("git", args, { cwd: tree, env })).stdout.trim();
  await git("init", "--quiet", "--initial-branch=main");
  const commit = async (answer: string) => {
    await writeFile(join(tree, "server.mjs"), server(answer));
    await git("add", "--all");
    await git("commit", "--quiet", "--message", answer);
    return await git("rev-parse", "HEAD");
  };
  const sha = await commit("hello");
  const url = `file://${join(tree, ".git")}`;
  await platform.client("admin").call(putRepository, { params: { service: "shop" }, body: { url, secret } });
  return { url, sha, commit };
}

/** Delivers the push as GitHub does. Answers the build's id. */
export async function push(
  platform: PlatformApart,
  { url, sha, branch = "main" }: { url: string; sha: string; branch?: string },
): Promise<BuildView["build_id"]> {
  const body = JSON.stringify({
    ...{ ref: `refs/heads/${branch}`, after: sha, deleted: false },
    head_commit: { id: sha, timestamp: "2026-11-20T10:00:00Z", author: { name: "Ada" } },
    repository: { full_name: "acme/shop", clone_url: url },
  });
  const answer = await fetch(`${platform.urlOf("build-service")}/webhooks/github`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": randomUUID(),
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    },
    body,
  });
  return ((await answer.json()) as Pick<BuildView, "build_id">).build_id;
}

export async function endOf(platform: PlatformApart, id: BuildView["build_id"]): Promise<BuildView> {
  const client = platform.client("viewer");
  return await until(
    async () => {
      const build = await client.call(getBuild, { params: { id } });
      return build.ended_at === null ? undefined : build;
    },
    { what: `the end of ${id}`, timeoutMs: 120_000 },
  );
}

/** Whether what a build printed is in the object store, and no more in Postgres. */
export async function isMoved(platform: PlatformApart, id: string): Promise<boolean> {
  const { rows } = await sql`select from build_log where build_id = ${id} and object is not null`.execute(
    platform.database.db<never>("build"),
  );
  return rows.length === 1;
}
