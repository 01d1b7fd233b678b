import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { postgresBus } from "@slipway/bus";
import { buildTopic, type CloudEvent, listRepositories, parseEvent } from "@slipway/contracts";
import { silentLogger } from "@slipway/sql";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

let platform: Platform;
let orders: TestRepository;
let small: TestRepository;

beforeAll(async () => {
  platform = await startBuildService();
  orders = await testRepository(platform.folder, "orders", true);
  small = await testRepository(platform.folder, "small", false);
  await platform.register("orders", orders.url);
  await platform.register("small", small.url);
});
afterAll(() => platform.close());

/** slipway.yaml of the small repository with these steps. */
function file(pipeline: string, more = ""): string {
  return `version: 1\nservice: small\npipeline:\n${pipeline}\nimage: { copy: [out], command: [node, out/main.js] }\n${more}`;
}

async function buildSmall(files: Record<string, string | null>): Promise<{ id: string; sha: string }> {
  const sha = await small.commit(files);
  return { id: await platform.buildOf(await platform.push({ url: small.url, sha })), sha };
}

/** The process on this machine with exactly this command line. */
function processRunning(...command: readonly string[]): number | undefined {
  const wanted = `${command.join("\0")}\0`;
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8") === wanted;
    } catch {
      return false;
    }
  });
  return found === undefined ? undefined : Number(found);
}

async function buildEvents(id: string): Promise<CloudEvent[]> {
  const bus = postgresBus({ url: platform.database.url("build"), log: silentLogger });
  try {
    const { events } = await bus.read(buildTopic.name, 0, 1_000);
    return events.filter((event) => event.subject === id);
  } finally {
    await bus.close();
  }
}

describe("a push to the example", () => {
  let sha = "";
  let id = "";

  test("becomes a registered artifact, its steps isolated", async () => {
    sha = await orders.commit({});
    id = await platform.buildOf(await platform.push({ url: orders.url, sha }));

    const build = await platform.ended(id);

    expect(build, await platform.log(id)).toMatchObject({
      status: "SUCCEEDED",
      git_sha: sha,
      author: "Ada",
      reason: null,
    });
    expect(build.isolation).toMatch(/^(bubblewrap|namespaces), limits: /);
    expect(build.steps.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "compile succeeded",
      "unit succeeded",
      "integration succeeded",
      "lint succeeded",
      "scan succeeded",
    ]);
    expect(platform.registry.manifests.get(`orders:${sha}`)?.digest).toBe(build.digest);
    expect(platform.registry.artifacts.at(-1)).toMatchObject({
      service: "orders",
      git_sha: sha,
      digest: build.digest,
      spec: { deploy: { strategy: "canary" }, workload: { replicas: 3 } },
      provenance: { build_id: id, isolation: expect.stringMatching(/bubblewrap|namespaces/) },
    });
  });

  test("runs its tests beside each other once it is compiled", async () => {
    const { steps } = await platform.view(id);

    const times = Object.fromEntries(steps.map((step) => [step.name, step]));
    const beside = ["unit", "integration", "lint", "scan"].map((name) => times[name]);
    for (const step of beside) {
      expect((step?.started_at ?? "") >= (times.compile?.ended_at ?? "x")).toBe(true);
      expect((step?.started_at ?? "x") < (times.integration?.ended_at ?? "")).toBe(true);
    }
  });

  test("is told on the bus, in order, as the contract says", async () => {
    const events = await until(
      async () => {
        const told = await buildEvents(id);
        return told.some((event) => event.type === "build.succeeded") ? told : undefined;
      },
      { what: "the event build.succeeded" },
    );

    expect(events.map((event) => event.type)).toEqual([
      "build.queued",
      "build.started",
      ...Array.from({ length: 5 }, () => "build.step_finished"),
      "build.succeeded",
    ]);
    for (const event of events)
      expect(parseEvent(buildTopic, event)?.data).toMatchObject({ build_id: id, git_sha: sha });
  });

  test("leaves no workspace behind", async () => {
    await until(() => !existsSync(join(platform.folder, "data", "builds", id)), { what: "the workspaces to be gone" });
  });

  test("gives the same digest when it is built again in another folder", async () => {
    const { digest } = await platform.view(id);
    await orders.branch("again", sha);
    const again = await platform.buildOf(await platform.push({ url: orders.url, sha, ref: "refs/heads/again" }));

    const build = await platform.ended(again);

    expect(again).not.toBe(id);
    expect(build).toMatchObject({ status: "SUCCEEDED", digest });
  });

  test("is listed, newest first, by service and by commit", async () => {
    const list = async (query: string): Promise<{ builds: { build_id: string }[]; next_page_token: string | null }> =>
      (await (await platform.fetch(`/api/v1/builds?${query}`)).json()) as never;

    const first = await list(`service=orders&git_sha=${sha.slice(0, 7)}&page_size=1`);
    const second = await list(`service=orders&page_size=1&page_token=${first.next_page_token}`);

    expect(first.builds).toHaveLength(1);
    expect(second).toMatchObject({ builds: [{ build_id: id }], next_page_token: null });
    expect((await list("service=nobody")).builds).toEqual([]);
  });
});

describe("a build fails, with the reason,", () => {
  test("when a step fails: what runs beside it finishes, what needs it is skipped", async () => {
    const { id } = await buildSmall({
      "slipway.yaml": file(
        "  bad: { run: 'echo about to fail; exit 3' }\n  beside: { run: sleep 0.5 }\n  after: { needs: [bad], run: 'true' }",
      ),
    });

    const build = await platform.ended(id);

    expect(build).toMatchObject({ status: "FAILED", reason: "step bad: exit code 3", digest: null });
    expect(build.steps.map(({ name, state, exit_code }) => [name, state, exit_code])).toEqual([
      ["bad", "failed", 3],
      ["beside", "succeeded", 0],
      ["after", "skipped", null],
    ]);
    expect(await platform.log(id)).toContain("bad | about to fail\nbad | failed after");
  });

  test("when a step hangs", async () => {
    const { id } = await buildSmall({ "slipway.yaml": file("  hang: { run: sleep 600, timeout: 1s }") });

    expect(await platform.ended(id)).toMatchObject({
      status: "FAILED",
      reason: "step hang: took longer than its timeout of 1s",
      steps: [{ state: "timed_out" }],
    });
  });

  test("when somebody kills a step's process, and the next build of the service runs as ever", async () => {
    const asked = "31873";
    const { id } = await buildSmall({ "slipway.yaml": file(`  long: { run: 'echo begun; sleep ${asked}' }`) });
    await until(async () => (await platform.log(id)).includes("long | begun"), { what: "the step to have begun" });
    const pid = await until(() => processRunning("sleep", asked), { what: "the step's process" });
    process.kill(pid, "SIGKILL");

    expect(await platform.ended(id)).toMatchObject({
      status: "FAILED",
      reason: expect.stringMatching(/^step long: (exit code 137|ended by SIGKILL)$/),
    });
    const next = await buildSmall({ "slipway.yaml": file("  compile: { run: 'mkdir out; echo 1 > out/main.js' }") });
    expect(await platform.ended(next.id)).toMatchObject({ status: "SUCCEEDED" });
  });

  test("when slipway.yaml has errors: all of them at once", async () => {
    const { id } = await buildSmall({ "slipway.yaml": "version: 3\nservice: other\npipeline: {}\n" });

    const { reason } = await platform.ended(id);

    expect(reason).toContain("slipway.yaml:1:10");
    expect(reason).toContain("image");
    expect(await platform.log(id)).toContain("slipway | slipway.yaml:1:10");
  });

  test("but not for an environment that is none here: that is noted, with the one that may be meant", async () => {
    const compile = file("  compile: { run: 'mkdir out; echo 1 > out/main.js' }");
    const { id } = await buildSmall({ "slipway.yaml": `${compile}environments: { prd: { replicas: 3 } }\n` });

    expect(await platform.ended(id)).toMatchObject({ status: "SUCCEEDED" });
    expect(await platform.log(id)).toContain(
      'slipway | note: environments.prd is used nowhere here: there are dev, staging, prod, did you mean "prod"?',
    );
  });

  test("when there is no slipway.yaml, or it is a link to a file of this machine", async () => {
    const expected = { status: "FAILED", reason: expect.stringContaining("the commit has no slipway.yaml") };
    const without = await buildSmall({ "slipway.yaml": null });
    expect(await platform.ended(without.id)).toMatchObject(expected);

    await small.link("slipway.yaml", "/etc/passwd");
    const linked = await buildSmall({});
    expect(await platform.ended(linked.id)).toMatchObject({
      status: "FAILED",
      reason: "slipway.yaml is not a file of at most 1 MiB",
    });
    expect(await platform.log(linked.id)).not.toContain("root:");
    await buildSmall({ "slipway.yaml": null });
  });

  test("when the commit does not exist", async () => {
    const sha = "0123456789012345678901234567890123456789";
    const id = await platform.buildOf(await platform.push({ url: small.url, sha }));

    expect(await platform.ended(id)).toMatchObject({
      status: "FAILED",
      reason: expect.stringContaining("could not be checked out"),
    });
  });

  test("when what the image copies does not exist, or is a link out of the workspace", async () => {
    const missing = await buildSmall({ "slipway.yaml": file("  compile: { run: 'true' }") });
    expect(await platform.ended(missing.id)).toMatchObject({ reason: expect.stringContaining('"out" does not exist') });

    const linked = await buildSmall({ "slipway.yaml": file("  compile: { run: ln -s /etc out }") });
    expect(await platform.ended(linked.id)).toMatchObject({ status: "FAILED", reason: expect.stringMatching(/link/) });
  });

  test("when the scan finds a secret or a known hole, naming place and advisory", async () => {
    const lock = { lockfileVersion: 3, packages: { "node_modules/minimist": { version: "1.2.5" } } };
    const { id } = await buildSmall({
      "slipway.yaml": file("  scan: { uses: security-scan }"),
      "config.js": ["const key = '", "AKIA", "IOSFODNN7ABCDEFG';"].join(""),
      "package-lock.json": JSON.stringify(lock),
    });

    expect(await platform.ended(id)).toMatchObject({ status: "FAILED", reason: "step scan: exit code 1" });
    const log = await platform.log(id);
    expect(log).toContain("secret: config.js:1 aws-access-key AKIA… (20 characters)");
    expect(log).toContain("minimist@1.2.5 GHSA-xvch-5gv4-984h");
    expect(log).not.toContain("IOSFODNN7ABCDEFG");
  });
});

test("a step sees the files of the steps it needs, and not those of others", async () => {
  const { id } = await buildSmall({
    "slipway.yaml": file(
      [
        "  compile: { run: 'mkdir out; echo console.log > out/main.js' }",
        "  other: { run: echo other > other.txt }",
        "  check: { needs: [compile], run: 'cat out/main.js; ls; test ! -e other.txt; echo junk > out/junk' }",
      ].join("\n"),
    ),
  });

  const build = await platform.ended(id);

  expect(build, await platform.log(id)).toMatchObject({ status: "SUCCEEDED" });
});

test("a running build is cancelled, its step with it", async () => {
  const { id } = await buildSmall({ "slipway.yaml": file("  long: { run: 'echo begun; sleep 600' }") });
  await until(async () => (await platform.log(id)).includes("long | begun"), { what: "the step to have begun" });

  const answer = await platform.fetch(`/api/v1/builds/${id}/cancel`, { method: "POST", as: "deployer" });

  expect(answer.status).toBe(202);
  expect(await answer.json()).toMatchObject({ status: "CANCELLED", reason: "cancelled by deployer" });
  await until(async () => !(await readdir(join(platform.folder, "data", "builds"))).includes(id), {
    what: "the workspaces to be gone",
  });
  const again = await platform.fetch(`/api/v1/builds/${id}/cancel`, { method: "POST", as: "deployer" });
  expect(again.status).toBe(409);
  expect(await again.json()).toMatchObject({ code: "build.finished" });
});

test("only who may cancels a build or says where a repository is", async () => {
  expect((await platform.fetch("/api/v1/builds/B-1/cancel", { method: "POST", as: "viewer" })).status).toBe(403);
  const body = { url: "https://example.com/x", secret: "a secret long enough" };
  expect((await platform.fetch("/api/v1/repositories/x", { method: "PUT", as: "deployer", body })).status).toBe(403);
  expect((await platform.fetch("/api/v1/builds/B-999999")).status).toBe(404);
});

test.each(["ext::sh -c id", "/etc", "git://example.com/x"])("a repository at %s is refused", async (url) => {
  const body = { url, secret: "a secret long enough" };

  const answer = await platform.fetch("/api/v1/repositories/x", { method: "PUT", as: "admin", body });

  expect(answer.status).toBe(422);
  expect(await answer.json()).toMatchObject({ code: "repository.invalid", remedy: expect.any(String) });
});

test("repositories are listed by service for whoever may read, with their URLs and never with a password or a secret", async () => {
  const body = { url: "https://ada:p%40ss@git.example.com/team/private.git", secret: "a secret long enough" };
  expect((await platform.fetch("/api/v1/repositories/hidden", { method: "PUT", as: "admin", body })).status).toBe(200);

  const listed = async (query: string) =>
    listRepositories.response.parse(await (await platform.fetch(`/api/v1/repositories?${query}`)).json());
  const all = await listed("page_size=2");
  const rest = await listed(`page_size=2&page_token=${all.next_page_token}`);
  const { repositories: own } = await listed("service=hidden");

  expect(all.repositories.map(({ service }) => service)).toEqual(["hidden", "orders"]);
  expect(all.repositories[1]).toMatchObject({ url: orders.url, credentials: false });
  expect(rest).toMatchObject({ repositories: [{ service: "small" }], next_page_token: null });
  const url = "https://git.example.com/team/private.git";
  expect(own).toEqual([{ service: "hidden", url, credentials: true, updated_at: expect.stringMatching(/Z$/) }]);
  expect(JSON.stringify([all, own])).not.toMatch(/p@ss|p%40ss|ada|long enough/);
});

test("a repository that an admin removes is known no more, once, and its pushes are another's", async () => {
  const body = { url: "https://git.example.com/team/short-lived.git", secret: "a secret long enough" };
  const path = "/api/v1/repositories/short-lived";
  await platform.fetch(path, { method: "PUT", as: "admin", body });

  const refused = await platform.fetch(path, { method: "DELETE", as: "deployer" });
  const removed = await platform.fetch(path, { method: "DELETE", as: "admin" });
  const again = await platform.fetch(path, { method: "DELETE", as: "admin" });
  const other = await platform.fetch("/api/v1/repositories/successor", { method: "PUT", as: "admin", body });
  await platform.fetch("/api/v1/repositories/successor", { method: "DELETE", as: "admin" });

  expect([refused.status, removed.status, again.status, other.status]).toEqual([403, 200, 404, 200]);
  expect(await removed.json()).toEqual({ service: "short-lived", url: body.url });
  expect(await again.json()).toMatchObject({ code: "repository.not_found", remedy: expect.any(String) });
});

test("a repository belongs to one service", async () => {
  const body = { url: orders.url, secret: "a secret long enough" };

  const answer = await platform.fetch("/api/v1/repositories/thief", { method: "PUT", as: "admin", body });

  expect(answer.status).toBe(422);
});

test("without isolation, chosen by name, builds say so and their artifacts carry it", async () => {
  const bare = await startBuildService({ SLIPWAY_ISOLATION: "none" });
  try {
    const repository = await testRepository(bare.folder, "bare", false);
    await bare.register("small", repository.url);
    const run = "  compile: { run: 'mkdir out; echo 1 > out/main.js' }\n  scan: { uses: security-scan }";
    const sha = await repository.commit({ "slipway.yaml": file(run) });
    const build = await bare.ended(await bare.buildOf(await bare.push({ url: repository.url, sha })));

    expect(build, await bare.log("B-1")).toMatchObject({
      status: "SUCCEEDED",
      isolation: expect.stringMatching(/^none/),
    });
    expect(bare.registry.artifacts).toMatchObject([{ provenance: { isolation: "none", limits: "none" } }]);
  } finally {
    await bare.close();
  }
});
