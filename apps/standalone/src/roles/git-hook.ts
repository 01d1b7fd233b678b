import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { lineWriter } from "@slipway/client";
import { z } from "zod";
import { deliverPush, HookFile } from "../git/deliver-push.ts";
import { followBuild } from "../git/follow-build.ts";

const HookConfig = z.object({ file: z.string() });

/**
 * The post-receive hook of a local repository: tells the build service of each pushed branch, as GitHub would, and shows the pusher the log of
 * the build. Ends well whatever becomes of it: the push has been received.
 */
export async function runGitHook(config: string): Promise<void> {
  const { file } = HookConfig.parse(JSON.parse(config));
  const hook = HookFile.parse(JSON.parse(readFileSync(file, "utf8")));
  const lines = (await text(process.stdin)).split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const [before = "", after = "", ref = ""] = line.split(" ");
    const { said, buildId } = await deliverPush(hook, { before, after, ref });
    print(`slipway: ${ref} ${after.slice(0, 7)}: ${said}`);
    if (buildId !== undefined && hook.follow !== undefined) await followBuild(hook.follow, buildId, program(), print);
  }
}

const write = lineWriter(process.stdout);

function print(line: string): void {
  write(`${line}\n`);
}

/** The command line lies beside this program in a bundle. */
function program(): string {
  return join(dirname(resolve(process.argv[1] ?? "")), "slipway.mjs");
}
