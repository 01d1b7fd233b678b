import { type Client, type PlatformService, platformServices } from "@slipway/client";
import { type AuditEntryView, AuditQuery, listAuditOf, nearest } from "@slipway/contracts";
import type { Command } from "commander";
import type { z } from "zod";
import { askEach } from "../ask-each.ts";
import { exitCodes, Unusable } from "../exit-codes.ts";
import { momentOf } from "../moment.ts";
import { note } from "../note.ts";
import { print, table, withClient } from "../output.ts";
import { recordOf, shortened } from "../said.ts";
import { count, typed } from "../typed.ts";
import { auditVerifyCommand } from "./audit-verify.ts";

type Own = {
  readonly service?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly subject?: string;
  readonly since?: string;
  readonly until?: string;
  readonly log?: string;
  readonly limit: string;
};

/** `log`: the service of Slipway that wrote it down. */
type Entry = AuditEntryView & { readonly log: PlatformService };

const options = {
  ...{ service: "--service", actor: "--actor", action: "--action" },
  ...{ subject: "--subject", since: "--since", until: "--until" },
};
/** Of one answer. */
const longestPage = 500;

/** `slipway audit`: who did what when, from the logs of all services of Slipway; `slipway audit verify`. */
export function auditCommand(root: Command): void {
  const audit = root
    .command("audit")
    .description("who did what when: what people and Slipway itself have done, newest first")
    .option("--service <name>", "only what was done about this service of yours, e.g. orders")
    .option("--actor <name>", "only what this one did: the name of a token, or a service of Slipway")
    .option("--action <action>", "only this, e.g. deployment.approve; deployment stands for all of its kind")
    .option("--subject <subject>", "only about this: D-4, B-12, P-7, a digest, a service")
    .option("--since <time>", "from then on: 2026-05-01, 2026-05-01T10:00:00Z, or 2h (ago)")
    .option("--until <time>", "before then")
    .option("--log <name>", "only what this service of Slipway wrote down, e.g. artifact-registry")
    .option("--limit <count>", "at most so many", "50")
    .action(async ({ log, limit: most, since, until, ...own }: Own) => {
      const limit = count("--limit", most, [1, 100_000]);
      const asked = { ...own, since: momentOf(since), until: momentOf(until), page_size: Math.min(limit, longestPage) };
      const query = typed(AuditQuery, asked, options);
      const logs = log === undefined ? platformServices : [logOf(log)];
      await withClient(root, (client) => showEntries(root, client, { logs, query, limit }));
    });
  auditVerifyCommand(root, audit);
}

function logOf(name: string): PlatformService {
  const known = platformServices.find((service) => service === name);
  if (known !== undefined) return known;
  const meant = nearest(name, platformServices) || ".";
  throw new Unusable(
    `--log: no service of Slipway is called ${name}${meant}`,
    `One of: ${platformServices.join(", ")}.`,
  );
}

type Asked = {
  readonly logs: readonly PlatformService[];
  readonly query: z.output<typeof AuditQuery>;
  readonly limit: number;
};

async function showEntries(root: Command, client: Client, { logs, query, limit }: Asked): Promise<void> {
  const { answers, missing } = await askEach(logs, (log) => readLog(client, log, query, limit));
  const found = answers
    .flatMap(([, { entries }]) => entries)
    // Entries of one moment stay in the order of their log: sorting is stable.
    .sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  const entries = found.slice(0, limit);
  const more = found.length > limit || answers.some(([, answer]) => answer.more);
  const none = "There is no such entry in the audit log.";
  print(root, { entries, more, missing }, entries.length === 0 ? none : table([head, ...entries.map(row)]));
  for (const { log, why } of missing) note(`Without what ${log} wrote down: ${why}`);
  if (more) note(`There are older ones: --limit, or --until ${entries.at(-1)?.at}, shows them.`);
  if (missing.length > 0) process.exitCode = exitCodes.unreachable;
}

/** The newest entries of one log. A page may be short or empty while there is more. */
async function readLog(client: Client, log: PlatformService, query: Asked["query"], limit: number) {
  const entries: Entry[] = [];
  let token: string | null | undefined;
  while (token !== null && entries.length < limit) {
    const page_token = token === undefined ? {} : { page_token: token };
    const page = await client.call(listAuditOf(log), { query: { ...query, ...page_token } });
    entries.push(...page.entries.map((entry) => ({ log, ...entry })));
    token = page.next_page_token;
  }
  return { entries, more: token !== null };
}

const head = ["TIME", "ACTOR", "ACTION", "SUBJECT", "DETAIL"];

function row({ at, actor, action, subject, detail }: Entry): string[] {
  return [at, actor, action, shortened(subject), saidIn(detail, subject).slice(0, 160)];
}

/** In this order; everything else after them, as far as the line is long. */
const saidFirst = ["service", "environment", "from", "to", "version", "region", "what", "reason", "why"];

/** What of the detail fits a line and is not said already. */
function saidIn(detail: unknown, subject: string): string {
  const all = recordOf(detail);
  const names = [
    ...saidFirst.filter((name) => name in all),
    ...Object.keys(all).filter((name) => !saidFirst.includes(name)),
  ];
  return names
    .filter((name) => name !== "by" && all[name] !== subject && ["string", "number"].includes(typeof all[name]))
    .map((name) => `${name}=${shortened(String(all[name]))}`)
    .join(" ");
}
