import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { home } from "./bundle.ts";
import type { Platform } from "./platform.ts";
import { type Ran, runCommand } from "./run-command.ts";

/** The first build of a machine compiles and fetches everything. */
const pushWithinMs = 540_000;

/** The commands under "Your own repository" in the README, with an example and a name of one's own, typed by somebody whose home is `homeFolder`. */
export async function asTheReadmeSays(platform: Platform, homeFolder: string, name: string): Promise<Ran> {
  const readme = readFileSync(join(home, "README.md"), "utf8");
  const commands = /^## Your own repository[\s\S]*?```sh\n([\s\S]*?)```/m.exec(readme)?.[1] ?? "exit 99";
  const { host } = new URL(platform.endpoints().platform?.url ?? "");
  const typed = commands
    .replace("/path/to/slipway/.slipway", platform.dataDir)
    .replace("127.0.0.1:7400", host)
    .replace("examples/node-web", join(home, "examples", name))
    .replaceAll("hello", name);
  mkdirSync(homeFolder, { recursive: true });
  const git = { GIT_AUTHOR_NAME: "Ada", GIT_AUTHOR_EMAIL: "ada@example.com" };
  const env = { HOME: homeFolder, ...git, GIT_COMMITTER_NAME: "Ada", GIT_COMMITTER_EMAIL: "ada@example.com" };
  return await runCommand("sh", ["-ec", typed], env, pushWithinMs);
}
