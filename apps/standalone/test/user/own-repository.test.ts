import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listBuilds, rollbackDeployment } from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asTheReadmeSays } from "../support/as-the-readme-says.ts";
import { home } from "../support/bundle.ts";
import { type Platform, startPlatform } from "../support/platform.ts";
import { type Ran, runCommand } from "../support/run-command.ts";

/**
 * Services as people have them, none with a slipway.yaml. `asks` succeeds where the tool and its registry are there. `holds`: what is in the image
 * beside its base: no tests, no README, no packages that only development needs.
 */
const examples = [
  {
    name: "node-web",
    kind: "Node",
    asks: ["npm", "view", "fastify", "version"],
    path: "/quotes/2",
    says: "skilled sailor",
    holds: ["node_modules", "package-lock.json", "package.json", "src"],
  },
  {
    name: "python-web",
    kind: "Python",
    asks: ["pip3", "index", "versions", "flask"],
    path: "/tides/bristol",
    says: "12.3",
    holds: [".python-packages", "Procfile", "app.py", "requirements.txt"],
  },
  {
    ...{ name: "go-web", kind: "Go", path: "/distance/hamburg/sydney", says: "kilometres" },
    holds: ["bin"],
    asks: ["go", "list", "-m", "github.com/go-chi/chi/v5@latest"],
  },
].map((example) => ({ ...example, there: isThere(example.asks) }));

function isThere([program = "", ...args]: readonly string[]): boolean {
  return spawnSync(program, args, { cwd: tmpdir(), stdio: "ignore", timeout: 60_000 }).status === 0;
}

const folder = mkdtempSync(join(tmpdir(), "slipway-own-"));
const homeFolder = join(folder, "home");
const repository = join(folder, "shop");
const dataDir = join(folder, "data");
let platform: Platform;
/** Where the service answers in dev, as the first push said it. */
let address = "";
/** The pushes of the examples that have begun, by name. */
const begun = new Map<string, Promise<Ran>>();

function pushed(name: string): Promise<Ran> {
  const push = begun.get(name) ?? asTheReadmeSays(platform, homeFolder, name);
  begun.set(name, push);
  return push;
}

beforeAll(async () => {
  chmodSync(folder, 0o755);
  cpSync(join(home, "examples/order-service"), repository, { recursive: true });
  edit("slipway.yaml", (text) => text.replace("service: orders", "service: shop"));
  git("init", "--quiet", "--initial-branch=main");
  commit("first");
  platform = startPlatform({ dataDir, args: ["--no-story"] });
  await platform.printed(/Yours now/);
  // The others wait, for evidence most of all, while this one compiles all of Go's own packages. Its test says how it went.
  if (examples.some(({ name, there }) => name === "go-web" && there)) pushed("go-web").catch(() => {});
});
afterAll(async () => {
  platform.interrupt();
  await platform.exit();
  await Promise.allSettled(begun.values());
  rmSync(folder, { recursive: true, force: true });
});

function git(...args: readonly string[]): void {
  const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
  execFileSync("git", [...who, ...args], { cwd: repository, stdio: "ignore" });
}

function commit(subject: string): void {
  git("add", "--all");
  git("commit", "--quiet", "-m", subject);
}

function edit(path: string, change: (text: string) => string): void {
  writeFileSync(join(repository, path), change(readFileSync(join(repository, path), "utf8")));
}

async function statusInDev(): Promise<number> {
  const { port, host } = new URL(address);
  const { statusCode, body } = await request(`http://127.0.0.1:${port}/healthz`, { headers: { host } });
  await body.dump();
  return statusCode;
}

function push(service: string, as: string, branch = "main"): Promise<Ran> {
  const url = new URL(`/git/${service}.git`, platform.endpoints().platform?.url);
  url.username = as;
  url.password = platform.token(as);
  return runCommand("git", ["-C", repository, "push", url.href, branch], { GIT_TERMINAL_PROMPT: "0" });
}

test("the first push to a new name registers it, shows its build live, and ends with its address in dev and the verdict", async () => {
  const { code, err } = await push("shop", "deployer");

  expect(code).toBe(0);
  expect(err).toMatch(/remote: unit \| .*an order's total/);
  expect(err).toMatch(/remote: slipway: build B-\d+ SUCCEEDED after [\d.]+ s: shop@sha256:/);
  expect(err).toMatch(/remote: slipway: D-\d+ SUCCEEDED: shop [0-9a-f]{7} serves in dev/);
  address = /remote: +(http:\/\/shop\.dev\.localhost:\d+\/)/.exec(err)?.[1] ?? "";
  expect(await statusInDev()).toBe(200);
  expect(err).toMatch(/slipway artifacts promote sha256:[0-9a-f]{64} --to staging/);
  const alias = /remote: +alias slipway=(.*)/.exec(err)?.[1] ?? "exit 1";
  const status = await runCommand("/bin/sh", ["-c", `eval ${alias} status "$0"`, /D-\d+/.exec(err)?.[0] ?? ""]);
  expect(status).toMatchObject({ code: 0, out: expect.stringMatching(/SUCCEEDED.*shop-[0-9a-f]{7}-\w+ -> dev/) });
});

/** The lines under "to bring it to prod", without what git puts before them: what somebody pastes. */
function pasted(err: string): string {
  const lines = err.split("\n").flatMap((line) => /^remote: (.*)$/.exec(line)?.[1]?.trimEnd() ?? []);
  const at = lines.findIndex((line) => line.startsWith("slipway: to bring it to prod"));
  const after = lines.slice(at + 1);
  const end = after.findIndex((line) => !line.startsWith("  "));
  return after.slice(0, end === -1 ? undefined : end).join("\n");
}

/** A shell reads a file line by line, as it does what is pasted, so that an alias holds from the next line on. */
function paste(text: string): Promise<Ran> {
  const script = join(folder, "pasted.sh");
  writeFileSync(script, text);
  return runCommand("/bin/sh", ["-e", script]);
}

test("the lines that a push ends with bring the version to prod when they are pasted: the first one, and with less to confirm the next", async () => {
  edit("src/server.mjs", (text) => `// Another version.\n${text}`);
  commit("second");
  const { err } = await push("shop", "deployer");
  expect(pasted(err)).toMatch(
    /promotions approve sha256:\w+ --as approver\n.* --confirm-initial --as approver --watch$/,
  );

  const first = await paste(pasted(err));
  expect(first, first.out + first.err).toMatchObject({ code: 0, out: expect.stringMatching(/SUCCEEDED/) });

  edit("src/server.mjs", (text) => `// And another.\n${text}`);
  commit("third");
  const again = pasted((await push("shop", "deployer")).err);
  expect(again).not.toContain("--confirm-initial");
  // Nobody sends requests, so that its evidence would not come before the end of the test.
  const second = await paste(again.replace(" --watch", ""));
  expect(second, second.out + second.err).toMatchObject({ code: 0, out: expect.stringMatching(/D-\d+ IN_PROGRESS/) });
  const id = /D-\d+ IN_PROGRESS/.exec(second.out)?.[0].split(" ")[0] as DeploymentId;
  await platform.as("deployer").call(rollbackDeployment, { params: { id }, body: {}, idempotencyKey: "own-back" });
});

test.each([
  ["hangs", `console.log("the stock does not answer"); setInterval(() => undefined, 1_000)`, /nothing listens there/],
  ["crashes in a loop", `console.log("the stock does not answer"); process.exit(3)`, /exit code 3, restarted \w+/],
])(
  "a version that %s is taken back, and the push says why, in the program's own words",
  async (_how, program, reason) => {
    const good = readFileSync(join(repository, "slipway.yaml"), "utf8");
    edit("slipway.yaml", (text) =>
      text
        .replace("command: [node, dist/server.js]", `command: [node, -e, '${program}']`)
        .replace("timeout: 30s", "timeout: 8s"),
    );
    commit("it never gets ready");

    const { code, err } = await push("shop", "deployer");
    writeFileSync(join(repository, "slipway.yaml"), good);
    commit("as before");

    expect(code).toBe(0);
    expect(err).toMatch(/remote: slipway: D-\d+ FAILED: [a-z]+-[a-z]+-\d: \d of \d pods (is|are) not ready: /);
    expect(err).toMatch(reason);
    expect(err).toMatch(/remote: +\| the stock does not answer/);
    expect(err).toMatch(/remote: +shop-[0-9a-f]{7}-\w+ serves as before/);
    expect(await statusInDev()).toBe(200);
  },
);

test("a branch that is not the main one is built and not deployed", async () => {
  git("switch", "--quiet", "--create", "trial");
  const { err } = await push("shop", "deployer", "trial");
  git("switch", "--quiet", "main");

  expect(err).toMatch(/the branch trial is not deployed by itself; to do it:/);
});

test("a build that fails does not fail the push, and says where", async () => {
  edit("slipway.yaml", (text) => text.replace("run: node build.mjs", "run: exit 9"));
  commit("broken");

  const { code, err } = await push("shop", "deployer");

  expect(code).toBe(0);
  expect(err).toMatch(/remote: slipway: build B-\d+ FAILED after [\d.]+ s: step compile: exit code 9/);
});

test("every error of a pushed slipway.yaml is in the push's own output, with its place", async () => {
  appendFileSync(join(repository, "slipway.yaml"), "enviroments: {}\ncolour: blue\n");
  commit("misspelt");

  const { err } = await push("shop", "deployer");

  expect(err).toMatch(/slipway.yaml:17:1 unknown key "enviroments", did you mean "environments"\?/);
  expect(err).toMatch(/slipway.yaml:18:1 unknown key "colour"/);
});

test("who may not deploy makes no repository, and the name of another repository's service is refused", async () => {
  const viewer = await push("other", "viewer");
  const before = await platform.as("viewer").call(listBuilds, { query: { page_size: 100 } });

  expect(viewer.code).not.toBe(0);
  expect(existsSync(join(dataDir, "git", "other.git"))).toBe(false);
  expect(before.builds.some((build) => build.service === "other")).toBe(false);

  rmSync(join(dataDir, "git", "shop.git"), { recursive: true });
  const elsewhere = await push("shop", "deployer");
  expect(elsewhere.code).not.toBe(0);
  expect(elsewhere.err).toContain('The service "shop" is registered with a repository elsewhere');
});

// Beside each other, as people push: most of the time each waits for its registry, its compiler or its evidence.
describe.concurrent("an example", () => {
  for (const { name, kind, there, path, says, holds } of examples) {
    test.skipIf(!there)(
      `a ${kind} service without slipway.yaml, pushed as the README says, is detected, built, and answers in dev`,
      async () => {
        const { code, err } = await pushed(name);

        expect(code, err).toBe(0);
        expect(existsSync(join(homeFolder, name, "slipway.yaml"))).toBe(false);
        expect(err).toMatch(new RegExp(`remote: slipway \\| +kind: +${kind} `));
        expect(err).toMatch(/remote: slipway: D-\d+ SUCCEEDED: /);
        const { host, port } = new URL(/remote: +(http:\S+)/.exec(err)?.[1] ?? "");
        const answer = await request(`http://127.0.0.1:${port}${path}`, { headers: { host } });
        expect(answer.statusCode).toBe(200);
        expect(await answer.body.text()).toContain(says);
        const image = /SUCCEEDED after [\d.]+ s: [\w-]+@sha256:([0-9a-f]{64})/.exec(err)?.[1] ?? "";
        expect(readdirSync(join(dataDir, "images", image, "root", "app")).sort()).toEqual(holds);
        // The lines at the end of the push, by whatever Node the shell has; the repository's remote says which service.
        const alias = /remote: +alias slipway=(.*)/.exec(err)?.[1] ?? "exit 1";
        const status = await runCommand("sh", ["-c", `cd "$0" && eval ${alias} status`, join(homeFolder, name)]);
        expect(status).toMatchObject({ code: 0, out: expect.stringContaining(name) });
      },
    );
  }
});
