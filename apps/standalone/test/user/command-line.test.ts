import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listDeployments } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { entryPoints } from "../support/bundle.ts";
import { baseLayer, type ForeignImage, foreignImage, type Layer } from "../support/foreign-image.ts";
import { type ForeignRegistry, foreignRegistry } from "../support/foreign-registry.ts";
import { cleanEnvironment, type Platform, startPlatform } from "../support/platform.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-line-"));
const repository = join(folder, "shop");
const dataDir = join(folder, "data");
let platform: Platform;
let registry: ForeignRegistry;
let base: Layer;
const commits: string[] = [];

const spec = `version: 1
service: shop
workload: { replicas: 1, ready: { path: /ready } }
deploy: { steps: [{ weight: 5, bake: 0s }, { weight: 100 }] }
environments: { prod: { env: { LEVEL: high } } }
`;

beforeAll(async () => {
  chmodSync(folder, 0o755);
  platform = startPlatform({ dataDir, args: ["--no-story"] });
  registry = await foreignRegistry();
  base = baseLayer(folder);
  mkdirSync(repository);
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", repository]);
  commits.push(commit("first"));
  await platform.printed(/Yours now/, 120_000);
});
afterAll(async () => {
  registry?.close();
  platform.interrupt();
  await platform.exit();
  rmSync(folder, { recursive: true, force: true });
});

function commit(subject: string): string {
  writeFileSync(join(repository, "slipway.yaml"), spec);
  writeFileSync(join(repository, "subject.txt"), subject);
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", ...args], {
      cwd: repository,
      encoding: "utf8",
    });
  git("add", "--all");
  git("commit", "--quiet", "-m", subject);
  return git("rev-parse", "HEAD").trim();
}

/** The command line in the repository of the service, while it runs and afterwards. */
function running(args: readonly string[], input = "", cwd = repository) {
  const child = spawn(process.execPath, [entryPoints.slipway, ...args], {
    cwd,
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...cleanEnvironment(), SLIPWAY_DATA: dataDir, NO_COLOR: "1" },
    timeout: 240_000,
  });
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (said.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said.err += chunk.toString()));
  child.stdin.end(input);
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, ...said }));
  return { said, ended, stop: () => void child.kill() };
}

const slipway = (...args: readonly string[]) => running(args).ended;

async function ok(...args: readonly string[]): Promise<string> {
  const ran = await slipway(...args);
  expect(ran.code, `${args.join(" ")}\n${ran.out}${ran.err}`).toBe(0);
  return ran.out;
}

/** Adds an image of the foreign registry as the person at the command line does; its output. */
async function add(image: ForeignImage, ...more: readonly string[]): Promise<string> {
  registry.add(image);
  const source = `${registry.host}/vendor/shop@${image.digest}`;
  const args = ["artifacts", "add", source, "--username", registry.username, "--password-stdin", ...more];
  const ran = await running(args, `${registry.password}\n`).ended;
  expect(ran.code, ran.out + ran.err).toBe(0);
  return ran.out;
}

async function toProd(version: string): Promise<void> {
  expect(await ok("artifacts", "promote", version, "--to", "staging")).toMatch(/PROMOTED: dev -> staging/);
  const asked = await ok("artifacts", "promote", version, "--to", "prod");
  const id = /^(P-\d+) PENDING/.exec(asked)?.[1] ?? "";
  expect(await ok("--as", "approver", "promotions", "approve", id)).toMatch(/PROMOTED.*approved by approver/);
}

async function ask(path = "/"): Promise<unknown> {
  const [region] = Object.values(platform.endpoints().regions);
  const answer = await request(`http://127.0.0.1:${region?.mesh}${path}`, { headers: { host: "shop.prod" } });
  const text = await answer.body.text();
  return answer.statusCode === 200 ? JSON.parse(text) : text;
}

describe("an image that was built elsewhere", () => {
  test("is added from its registry, with a password that nobody keeps", async () => {
    const image = foreignImage(folder, base, { greeting: "hello" });

    const out = await add(image, "--git-sha", commits[0] ?? "");

    expect(out).toContain(`REGISTERED: shop ${commits[0]?.slice(0, 7)} is ${image.digest}`);
    expect(await ok("artifacts", "list")).toMatch(/shop +[0-9a-f]{7} +sha256:\w+ +elsewhere +dev/);
  });

  test("without a commit is told what to do, with exit code 1", async () => {
    const image = foreignImage(folder, base, { greeting: "nameless" });
    registry.add(image);
    const args = ["artifacts", "add", `${registry.host}/vendor/shop@${image.digest}`, "--username", registry.username];

    const ran = await running(args, registry.password).ended;

    expect([ran.code, ran.out]).toEqual([1, expect.stringMatching(/FAILED: .*org\.opencontainers\.image\.revision/)]);
  });

  test("by a tag is refused before anything is asked", async () => {
    const ran = await slipway("artifacts", "add", "ghcr.io/vendor/shop:latest");

    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining("a tag may move")]);
  });

  test("is promoted, deployed from the repository without a word more, and runs as its own configuration says", async () => {
    await toProd(commits[0]?.slice(0, 7) ?? "");

    const ran = await slipway("--as", "approver", "deploy", "--confirm-initial", "--watch");

    expect(ran.code, ran.out + ran.err).toBe(0);
    expect(ran.out).toMatch(/SUCCEEDED at 100%/);
    expect(await ask()).toEqual({
      ...{ greeting: "hello", level: "high", cwd: "/home/app/service", argv: ["--from", "cmd"], root: false },
      ...{ secret: "readable by its owner", removed: false, hidden: false, added: true },
    });
  });
});

describe("what is going on", () => {
  test("status without a word more is the newest deployment of the service here", async () => {
    expect(await ok("status")).toMatch(/^D-1 +SUCCEEDED +shop shop-[\s\S]*serves +in prod: shop-\S+ since \S+ \(D-1/);
    expect(JSON.parse(await ok("--json", "status", "shop"))).toMatchObject({ deployment_id: "D-1", service: "shop" });
  });

  test("services are listed with what serves, since when and by which deployment, also by status where no service is meant", async () => {
    const line = /^shop +prod +shop-[0-9a-f]{7}-\w+ +\d{4}-\S+Z +D-1 +-$/m;

    expect(await ok("services")).toMatch(line);
    expect((await running(["status"], "", folder).ended).out).toMatch(line);
  });

  test("logs of a service says in which environment it found the pods, unless it was told", async () => {
    const found = await slipway("logs", "--tail", "1");
    const told = await slipway("logs", "--tail", "1", "--env", "prod");

    expect(found).toMatchObject({ code: 0, err: expect.stringMatching(/^shop in prod$/m) });
    expect(told.err).not.toContain("shop in prod");
  });

  test("logs of a service are those of its pods in all regions, and of one", async () => {
    const all = await ok("logs", "--tail", "5");
    const one = JSON.parse((await ok("--json", "logs", "shop", "--region", "eu-west-1")).split("\n")[0] ?? "");

    for (const region of Object.keys(platform.endpoints().regions)) {
      expect(all).toMatch(new RegExp(`^${region} shop-\\S+ \\| started from elsewhere$`, "m"));
    }
    expect(one).toMatchObject({ region: "eu-west-1", line: "started from elsewhere" });
  });

  test("logs --follow shows a line when it is printed", async () => {
    const following = running(["logs", "-f", "--tail", "1"]);
    await until(() => following.said.out.includes("started from elsewhere"), {
      what: "the beginning",
    });
    await ask("/say/something-new");
    await until(() => following.said.out.includes("| something-new"), { what: "the new line" });
    following.stop();
    await following.ended;
  });
});

describe("names that nobody knows", () => {
  test.each([
    [["deploy", "shpo", "abcdef0"], /did you mean "shop"\?/],
    [["deploy", "shop", "abcdef0"], /The newest versions of shop are [0-9a-f]{7}|has abcdef0 been pushed/],
    [["deploy", "--env", "prdo"], /did you mean "prod"\?/],
    [["deploy", "--regions", "us-east-1,eu-wset-1"], /did you mean "eu-west-1"\?/],
    [["logs", "--env", "stagign"], /did you mean "staging"\?/],
    [["status", "--env", "stagign"], /^There is no environment stagign\.\nDid you mean "staging"\?/],
    [["halt", "shop", "--env", "prdo"], /^There is no environment prdo\.\nDid you mean "prod"\?/],
    [["status", "shpo"], /^There is no service shpo\.\nDid you mean "shop"\?/],
    [["events", "--topic", "deployment", "--from", "7"], /^7 is no position in slipway\.deployment\.v1\.\nTake 0, or/],
  ])("%j", async (args, hint) => {
    const ran = await slipway(...args);

    expect([ran.code, ran.err]).toEqual([1, expect.stringMatching(hint)]);
  });

  test("are problem documents with --json, on stdout and with the exit code", async () => {
    const ran = await slipway("--json", "deploy", "shpo", "abcdef0");

    expect(JSON.parse(ran.out)).toMatchObject({
      ...{ code: "service.not_found", status: 404, exit_code: 1 },
      ...{
        detail: expect.stringContaining('did you mean "shop"?'),
        remedy: expect.stringMatching(/^The services are /),
      },
    });
    expect(ran.err).toBe("");
  });
});

describe("a token", () => {
  test("that is not valid, and one that may not, are told apart", async () => {
    const invalid = await slipway("--token", "slp_nothing", "status");
    const weak = await slipway("--as", "viewer", "deploy");

    expect([invalid.code, invalid.err]).toEqual([4, expect.stringContaining("The token came from --token")]);
    expect([weak.code, weak.err]).toEqual([1, expect.stringContaining("You are calling as viewer")]);
  });
});

describe("a canary to which nothing comes", () => {
  let id = "";

  test("is held and goes on by word", async () => {
    const revision = commit("second");
    await add(foreignImage(folder, base, { greeting: "second", revision }));
    await toProd(revision);
    expect(await ok("promotions", "list", revision)).toMatch(
      /^P-\d+ PROMOTED: dev -> staging.*\n(.*\n)*P-\d+ PROMOTED: staging -> prod.*approved by approver/,
    );
    id = /^(D-\d+) /.exec(await ok("deploy"))?.[1] ?? "";
    await baking();

    expect(await ok("halt", "shop", "--reason", "lunch")).toMatch(/HELD/);
    expect(await ok("status", id)).toMatch(/HELD[\s\S]*held by deployer: lunch; goes on when: a person resumes it/);
    expect(await ok("resume", id)).not.toMatch(/HELD/);
    await baking();
  });

  test("followed by status --watch goes on when the platform was killed and comes back, says so, and ends with how the deployment ended", async () => {
    const watching = running(["status", id, "--watch"]);
    await until(() => watching.said.out.includes("CANARY_MONITORING at 5%"), { what: "the canary", timeoutMs: 90_000 });

    await platform.kill();
    await until(() => watching.said.err.includes("does not answer"), {
      what: "what it says of that",
    });
    const away = await slipway("status", id);
    platform = startPlatform({ dataDir, args: ["--no-story"] });
    await platform.printed(/Yours now/, 120_000);
    await until(() => watching.said.err.includes("answers again"), { what: "the return", timeoutMs: 60_000 });
    expect(await ok("rollback", id, "--reason", "a test")).toMatch(/ROLLING_BACK/);
    const ran = await watching.ended;

    expect([away.code, away.err]).toEqual([3, expect.stringContaining("Start it with npm start")]);
    expect(ran.code, ran.out + ran.err).toBe(5);
    expect(ran.out).toMatch(/ROLLED_BACK/);
    expect(ran.out.split("\n").filter((line) => line.includes("CANARY_MONITORING at 5%")).length).toBe(1);
  });

  test("that is promoted still waits for its PASS; a name stands for it, and not that of who asked", async () => {
    id = /^(D-\d+) /.exec(await ok("--as", "approver", "deploy"))?.[1] ?? "";
    await baking();

    expect(await ok("promote", id, "--expected-step", "0")).toMatch(/^D-\d+ ROLLING_OUT [\s\S]*waiting for a PASS/);
    const own = await slipway("--as", "approver", "approve", id);
    const other = await slipway("--as", "admin", "approve", id);

    expect([own.code, own.err]).toEqual([1, expect.stringContaining("may not approve it")]);
    expect([other.code, other.err]).toEqual([0, ""]);
    const goneOn = async () => (await ok("status", id)).includes("SUCCEEDED");
    await until(goneOn, { what: `${id} to go on`, timeoutMs: 90_000 });
  });

  async function baking(): Promise<void> {
    const there = async () => {
      const { deployments } = await platform.as("viewer").call(listDeployments, { query: { page_size: 1 } });
      return deployments[0]?.deployment_id === id && deployments[0].phase === "baking";
    };
    await until(there, { what: `${id} baking`, timeoutMs: 90_000 });
  }
});
