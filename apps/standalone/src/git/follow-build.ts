import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, createClient } from "@slipway/client";
import { BuildIdSchema, type BuildView, buildLogPath, getBuild, getService } from "@slipway/contracts";
import { type CommandLine, commandText } from "./command-text.ts";
import type { Follow } from "./deliver-push.ts";
import { followPush } from "./follow-push.ts";

/** How long a push shows the log of its build. A build may take longer, and goes on without it. */
const shownForMs = 20 * 60_000;
const branchesDeployed = ["refs/heads/main", "refs/heads/master"];

/**
 * Shows a build's log while it is written, and then how its version comes to serve where the service deploys by itself. Never throws and never waits
 * for ever: the push is received, whatever becomes of the build.
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
  const signal = AbortSignal.timeout(shownForMs);
  try {
    for await (const event of client.stream(buildLogPath(id), { signal })) {
      if (event.event === "end") break;
      for (const line of event.data.replace(/\n$/, "").split("\n")) print(line);
    }
    const build = await client.call(getBuild, { params: { id: BuildIdSchema.parse(id) } });
    await tellResult(client, build, commands, print);
  } catch (error) {
    const why = signal.aborted ? `it takes longer than ${shownForMs / 60_000} minutes` : messageOf(error);
    print(`slipway: the log broke off (${why}); the build goes on: ${commandText(commands, ["logs", id])}`);
  } finally {
    await client.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function tellResult(
  client: Client,
  build: BuildView,
  commands: CommandLine,
  print: (line: string) => void,
): Promise<void> {
  const took = build.ended_at === null ? 0 : (Date.parse(build.ended_at) - Date.parse(build.created_at)) / 1_000;
  const head = `slipway: build ${build.build_id} ${build.status} after ${took.toFixed(1)} s`;
  if (build.status !== "SUCCEEDED") {
    print(`${head}: ${build.reason ?? "no reason was given"}`);
    return;
  }
  print(`${head}: ${build.service}@${build.digest ?? ""}`);
  const { deploys_to } = await client.call(getService, { params: { name: build.service } });
  if (deploys_to !== null && branchesDeployed.includes(build.ref)) {
    await followPush(client, build, commands, print);
    return;
  }
  const words = ["deploy", build.service, build.git_sha.slice(0, 7), "--env", deploys_to ?? "dev", "--watch"];
  const branch = build.ref.replace("refs/heads/", "");
  print(
    deploys_to === null
      ? "slipway: to deploy it:"
      : `slipway: the branch ${branch} is not deployed by itself; to do it:`,
  );
  print(`  ${commandText(commands, words)}`);
}
