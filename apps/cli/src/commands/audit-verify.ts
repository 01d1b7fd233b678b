import { type Client, type PlatformService, platformServices } from "@slipway/client";
import { AuditHead, type AuditVerdict, nearest, verifyAuditOf } from "@slipway/contracts";
import type { Command } from "commander";
import { askEach, type Missing } from "../ask-each.ts";
import { exitCodes, Unusable } from "../exit-codes.ts";
import { print, table, withClient } from "../output.ts";
import { recordOf } from "../said.ts";
import { readBytes } from "../secrets/read-bytes.ts";

type Kept = ReadonlyMap<string, string>;
/** `kept`: the head that it was compared with. */
type Verdict = AuditVerdict & { readonly kept: string | undefined };

/** `slipway audit verify`: whether each log is whole. What it prints is what `--head` takes. */
export function auditVerifyCommand(root: Command, audit: Command): void {
  audit
    .command("verify")
    .description("whether the audit log of each service of Slipway is whole; the exit code says it, too")
    .option("--head <file>", "what this command printed before: those entries have to be there still")
    .action(async ({ head }: { readonly head?: string }) => {
      const kept: Kept =
        head === undefined ? new Map() : headsIn(Buffer.from(await readBytes(head)).toString("utf8"), head);
      await withClient(root, async (client) => {
        const { answers, missing } = await askEach(platformServices, (log) => verifyLog(client, log, kept.get(log)));
        const logs = answers.map(([log, verdict]) => ({ log, ...verdict }));
        print(root, { logs, missing }, table([...logs.map(row), ...missing.map(missingRow)]));
        if (missing.length > 0) process.exitCode = exitCodes.unreachable;
        if (logs.some(({ verdict }) => verdict === "broken")) process.exitCode = exitCodes.refused;
      });
    });
}

/** A long log takes several calls, each of some seconds at most. */
async function verifyLog(client: Client, log: PlatformService, kept: string | undefined): Promise<Verdict> {
  for (let from: string | undefined; ; ) {
    const found = await client.call(verifyAuditOf(log), { query: { from, kept }, timeoutMs: 30_000 });
    if (found.verdict !== "unfinished") return { ...found, kept };
    from = found.head;
  }
}

function row(found: Verdict & { readonly log: string }): string[] {
  if (found.verdict === "broken") return [found.log, "BROKEN", `at ${found.seq}`, found.why];
  const before = found.kept === undefined ? "" : `, ${found.kept.split(":")[0]} when kept`;
  const entries = found.entries === 1 ? "1 entry" : `${found.entries} entries`;
  return [found.log, "intact", `${entries}${before}`, found.head];
}

function missingRow({ log, why }: Missing): string[] {
  return [log, "no answer", "", why];
}

/** The heads in what this command printed, as lines or as JSON. Lines without one are of logs that had none. */
function headsIn(text: string, file: string): Kept {
  const kept = new Map(text.trimStart().startsWith("{") ? headsOfJson(text, file) : headsOfLines(text));
  if (kept.size === 0)
    throw new Unusable(`${file} has no heads of audit logs.`, "It is what slipway audit verify printed before.");
  for (const log of kept.keys()) {
    if ((platformServices as readonly string[]).includes(log)) continue;
    const meant = nearest(log, platformServices) || ".";
    throw new Unusable(`${file} has the head of ${log}, which is no service of Slipway${meant}`);
  }
  return kept;
}

function headsOfLines(text: string): readonly (readonly [string, string])[] {
  return text.split("\n").flatMap((line) => {
    const words = line.trim().split(/\s+/);
    return pair(words[0], words.at(-1));
  });
}

function headsOfJson(text: string, file: string): readonly (readonly [string, string])[] {
  try {
    const { logs } = recordOf(JSON.parse(text));
    return (Array.isArray(logs) ? logs : []).map(recordOf).flatMap(({ log, head }) => pair(log, head));
  } catch {
    throw new Unusable(`${file} begins like JSON and is none.`, "It is what slipway audit verify printed before.");
  }
}

function pair(log: unknown, head: unknown): readonly (readonly [string, string])[] {
  const parsed = AuditHead.safeParse(head);
  return typeof log === "string" && parsed.success ? [[log, parsed.data]] : [];
}
