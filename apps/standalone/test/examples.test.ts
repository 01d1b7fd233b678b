import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { home } from "./support/bundle.ts";
import { type Platform, startPlatform } from "./support/platform.ts";
import { runCommand } from "./support/run-command.ts";

/** Services as people have them, none with a slipway.yaml. `asks` succeeds where the tool and its registry are there. */
const examples = [
  {
    name: "node-web",
    kind: "Node",
    asks: ["npm", "view", "fastify", "version"],
    path: "/quotes/2",
    says: "skilled sailor",
  },
  {
    name: "python-web",
    kind: "Python",
    asks: ["pip3", "index", "versions", "flask"],
    path: "/tides/bristol",
    says: "12.3",
  },
  {
    ...{ name: "go-web", kind: "Go", path: "/distance/hamburg/sydney", says: "kilometres" },
    asks: ["go", "list", "-m", "github.com/go-chi/chi/v5@latest"],
  },
] as const;

const folder = mkdtempSync(join(tmpdir(), "slipway-examples-"));
/** The first build of a machine compiles and fetches everything. */
const pushWithinMs = 540_000;
let platform: Platform;

beforeAll(async () => {
  chmodSync(folder, 0o755);
  platform = startPlatform({ dataDir: join(folder, "data"), args: ["--no-story"] });
  await platform.printed(/Yours now/);
});
afterAll(async () => {
  platform.interrupt();
  await platform.exit();
  rmSync(folder, { recursive: true, force: true });
});

/** A repository of its own, as somebody would begin one. */
function ownRepository(name: string): string {
  const repository = join(folder, name);
  cpSync(join(home, "examples", name), repository, { recursive: true });
  const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
  const git = (...args: readonly string[]) =>
    execFileSync("git", [...who, ...args], { cwd: repository, stdio: "ignore" });
  git("init", "--quiet", "--initial-branch=main");
  git("add", "--all");
  git("commit", "--quiet", "-m", "first");
  return repository;
}

for (const { name, kind, asks, path, says } of examples) {
  const [program, ...args] = asks;
  const there = spawnSync(program, args, { cwd: tmpdir(), stdio: "ignore", timeout: 60_000 }).status === 0;

  test.skipIf(!there)(
    `a ${kind} service without slipway.yaml is detected, built, and answers in dev after one push`,
    async () => {
      const repository = ownRepository(name);
      const url = new URL(`/git/${name}.git`, platform.endpoints().platform?.url);
      url.username = "deployer";
      url.password = platform.token("deployer");
      const { err } = await runCommand("git", ["-C", repository, "push", url.href, "main"], {}, pushWithinMs);

      expect(existsSync(join(repository, "slipway.yaml"))).toBe(false);
      expect(err).toMatch(new RegExp(`remote: slipway \\| +kind: +${kind} `));
      expect(err).toMatch(/remote: slipway: D-\d+ SUCCEEDED: /);
      const { host, port } = new URL(/remote: +(http:\S+)/.exec(err)?.[1] ?? "");
      const answer = await request(`http://127.0.0.1:${port}${path}`, { headers: { host } });
      expect(answer.statusCode).toBe(200);
      expect(await answer.body.text()).toContain(says);
    },
  );
}
