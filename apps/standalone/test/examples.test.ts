import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { home } from "./support/bundle.ts";
import { type Platform, startPlatform } from "./support/platform.ts";
import { runCommand } from "./support/run-command.ts";

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

const homeFolder = join(folder, "home");

/** The commands under "Your own repository" in the README, with an example and a name of one's own, typed by somebody whose home is this folder. */
async function asTheReadmeSays(name: string) {
  const readme = readFileSync(join(home, "README.md"), "utf8");
  const commands = /^## Your own repository[\s\S]*?```sh\n([\s\S]*?)```/m.exec(readme)?.[1] ?? "exit 99";
  const { host } = new URL(platform.endpoints().platform?.url ?? "");
  const typed = commands
    .replace("/path/to/slipway/.slipway", join(folder, "data"))
    .replace("127.0.0.1:7400", host)
    .replace("examples/node-web", join(home, "examples", name))
    .replaceAll("hello", name);
  mkdirSync(homeFolder, { recursive: true });
  const git = { GIT_AUTHOR_NAME: "Ada", GIT_AUTHOR_EMAIL: "ada@example.com" };
  const env = { HOME: homeFolder, ...git, GIT_COMMITTER_NAME: "Ada", GIT_COMMITTER_EMAIL: "ada@example.com" };
  return await runCommand("sh", ["-ec", typed], env, pushWithinMs);
}

for (const { name, kind, asks, path, says, holds } of examples) {
  const [program, ...args] = asks;
  const there = spawnSync(program, args, { cwd: tmpdir(), stdio: "ignore", timeout: 60_000 }).status === 0;

  test.skipIf(!there)(
    `a ${kind} service without slipway.yaml, pushed as the README says, is detected, built, and answers in dev`,
    async () => {
      const { code, err } = await asTheReadmeSays(name);

      expect(code, err).toBe(0);
      expect(existsSync(join(homeFolder, name, "slipway.yaml"))).toBe(false);
      expect(err).toMatch(new RegExp(`remote: slipway \\| +kind: +${kind} `));
      expect(err).toMatch(/remote: slipway: D-\d+ SUCCEEDED: /);
      const { host, port } = new URL(/remote: +(http:\S+)/.exec(err)?.[1] ?? "");
      const answer = await request(`http://127.0.0.1:${port}${path}`, { headers: { host } });
      expect(answer.statusCode).toBe(200);
      expect(await answer.body.text()).toContain(says);
      const image = /SUCCEEDED after [\d.]+ s: [\w-]+@sha256:([0-9a-f]{64})/.exec(err)?.[1] ?? "";
      expect(readdirSync(join(folder, "data", "images", image, "root", "app")).sort()).toEqual(holds);
      // The lines at the end of the push, by whatever Node the shell has; the repository's remote says which service.
      const alias = /remote: +alias slipway=(.*)/.exec(err)?.[1] ?? "exit 1";
      const status = await runCommand("sh", ["-c", `cd "$0" && eval ${alias} status`, join(homeFolder, name)]);
      expect(status).toMatchObject({ code: 0, out: expect.stringContaining(name) });
    },
  );
}
