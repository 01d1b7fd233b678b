import { listAuditOf, verifyAuditOf } from "@slipway/contracts";
import { type AuditHead, readAudit, verifyAudit } from "@slipway/durable";
import type { ServiceApp } from "./app.ts";
import type { StartedModule } from "./start-module.ts";

/** Less than callers wait for, proxies between them included. */
const verifyWithinMs = 3_000;

/** The audit log that is in each service's schema, for people to read and to verify. */
export function auditRoutes(app: ServiceApp, { name, db }: Pick<StartedModule, "name" | "db">): void {
  // One at a time: however many ask, hashing has no more than one's share of the process.
  let turn: Promise<unknown> = Promise.resolve();
  app.serve(listAuditOf(name), async ({ query, signal }) => {
    const { page_size: limit, page_token: token, ...filters } = query;
    const before = token === undefined ? undefined : Number(token);
    const { entries, next } = await readAudit(db, { ...filters, before, limit, signal });
    return { entries: [...entries], next_page_token: next === null ? null : String(next) };
  });
  app.serve(verifyAuditOf(name), async ({ query, signal }) => {
    const [from, kept] = [headOf(query.from), headOf(query.kept)];
    const asked = turn.then(() => verifyAudit(db, { from, kept, withinMs: verifyWithinMs, signal }));
    turn = asked.catch(() => undefined);
    const found = await asked;
    if (found.kind === "broken") return { verdict: found.kind, seq: found.seq, why: found.why };
    return { verdict: found.kind, entries: found.entries, head: `${found.entries}:${found.head}` };
  });
}

function headOf(text: string | undefined): AuditHead | undefined {
  if (text === undefined) return undefined;
  const [seq, hash = ""] = text.split(":");
  return { seq: Number(seq), hash };
}
