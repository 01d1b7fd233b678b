import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, createClient } from "@slipway/client";
import {
  BuildIdSchema,
  type BuildView,
  buildLogPath,
  getBuild,
  getService,
  listEnvironments,
} from "@slipway/contracts";
import type { Follow } from "./deliver-push.ts";

/** The shell line that runs the command line against this platform. */
export type CommandLine = { readonly program: string; readonly dataDir: string };

/**
 * Shows a build's log while it is written, and at its end the result and what to do next. Never throws: the push is received, whatever
 * becomes of the build.
 */
export async function followBuild(
  follow: Follow,
  id: string,
  program: string,
  print: (line: string) => void,
): Promise<void> {
  const token = readFileSync(join(follow.dataDir, "tokens", "viewer"), "utf8").trim();
  const client = createClient({ url: follow.url, token });
  const commands: CommandLine = { program, dataDir: follow.dataDir };
  try {
    for await (const event of client.stream(buildLogPath(id))) {
      if (event.event === "end") break;
      for (const line of event.data.replace(/\n$/, "").split("\n")) print(line);
    }
    const build = await client.call(getBuild, { params: { id: BuildIdSchema.parse(id) } });
    for (const line of await resultOf(client, build, commands)) print(line);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    print(`slipway: the log broke off (${why}); the build goes on: ${commandText(commands, ["logs", id])}`);
  } finally {
    await client.close();
  }
}

async function resultOf(client: Client, build: BuildView, commands: CommandLine): Promise<readonly string[]> {
  const took = build.ended_at === null ? 0 : (Date.parse(build.ended_at) - Date.parse(build.created_at)) / 1_000;
  const head = `slipway: build ${build.build_id} ${build.status} after ${took.toFixed(1)} s`;
  if (build.status !== "SUCCEEDED") return [`${head}: ${build.reason ?? "no reason was given"}`];
  const { environments } = await client.call(listEnvironments);
  const { live } = await client.call(getService, { params: { name: build.service } });
  const first = environments[0]?.name ?? "dev";
  const serves = Object.keys(live[first] ?? {}).length > 0;
  const words = ["deploy", build.service, build.git_sha.slice(0, 7), "--env", first, "--watch"];
  return [
    `${head}: ${build.service}@${build.digest ?? ""}`,
    serves ? `slipway: to deploy it to ${first}:` : `slipway: its first version. To deploy it to ${first}:`,
    `  ${commandText(commands, words)}`,
  ];
}

/** A line that can be pasted into a shell in any folder. */
export function commandText({ program, dataDir }: CommandLine, words: readonly string[]): string {
  return [`SLIPWAY_DATA=${quoted(dataDir)}`, "node", quoted(program), ...words.map(quoted)].join(" ");
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
