import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { deliverPush, HookFile } from "../git/deliver-push.ts";

const HookConfig = z.object({ file: z.string() });

/** The post-receive hook of a local repository: tells the build service of each pushed branch, as GitHub would, and says so to the pusher. */
export async function runGitHook(config: string): Promise<void> {
  const { file } = HookConfig.parse(JSON.parse(config));
  const hook = HookFile.parse(JSON.parse(readFileSync(file, "utf8")));
  const lines = (await text(process.stdin)).split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const [before = "", after = "", ref = ""] = line.split(" ");
    const answer = await deliverPush(hook, { before, after, ref });
    process.stdout.write(`slipway: ${ref} ${after.slice(0, 7)}: ${answer}\n`);
  }
}
