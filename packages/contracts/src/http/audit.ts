import type { Instant } from "@slipway/kernel";
import { z } from "zod";
import { InstantSchema, ServiceNameSchema } from "../ids.ts";
import { Page } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** Who may look at what the entries name may read them: people. No service has to. */
const people = ["viewer", "deployer", "approver"] as const;

const text = z.string().min(1).max(300);
const moment = z.iso
  .datetime({ offset: true, error: "an instant looks like 2026-05-01T10:00:00Z" })
  // What the database takes for a time as well.
  .refine((at) => at >= "1970", "an instant is of 1970 or later")
  .transform((at) => new Date(at).toISOString() as Instant);

/** `<number of an entry>:<its hash>`; `0:000…` is before the first one. */
export const AuditHead = z.string().regex(/^\d{1,15}:[0-9a-f]{64}$/, "a head looks like 42:<64 hex digits>");

export const AuditEntryView = z.object({
  /** Numbers of one log have no gaps. */
  seq: z.number().int(),
  at: InstantSchema,
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  detail: z.unknown(),
  prev_hash: z.string(),
  /** SHA-256 of `[prev_hash, seq, at, actor, action, subject, detail]` as JSON without spaces, keys sorted. */
  hash: z.string(),
});
export type AuditEntryView = z.infer<typeof AuditEntryView>;

export const AuditQuery = Page.extend({
  actor: text.optional().describe("Who did it: the name of a token, or a service of Slipway"),
  action: z
    .string()
    .regex(
      /^[a-z_]{1,60}(\.[a-z_]{1,60})?$/,
      "an action looks like promotion.granted, or promotion for all of its kind",
    )
    .optional()
    .describe("`promotion.granted`, or `promotion` for all of its kind"),
  subject: text
    .optional()
    .describe("What it was done to, or what else the entry names: a service, digest, promotion, deployment or build"),
  service: ServiceNameSchema.optional().describe("The service that was acted upon"),
  since: moment.optional().describe("From then on"),
  until: moment.optional().describe("Before then"),
});

export const AuditVerdict = z.discriminatedUnion("verdict", [
  /** All entries follow one another; `head` is the last one, to be kept elsewhere. */
  z.object({ verdict: z.literal("intact"), entries: z.number().int(), head: AuditHead }),
  /** The time of one call was over: ask again with this head as `from`. */
  z.object({ verdict: z.literal("unfinished"), entries: z.number().int(), head: AuditHead }),
  z.object({ verdict: z.literal("broken"), seq: z.number().int(), why: z.string() }),
]);
export type AuditVerdict = z.infer<typeof AuditVerdict>;

const idOf = (verb: string, service: string): string =>
  `${verb}AuditOf${service.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())}`;

/** The audit log of one of Slipway's services. A page may be shorter than asked for, even empty, while there is a token for what is older. */
export function listAuditOf(service: string) {
  return endpoint({
    id: idOf("list", service),
    method: "GET",
    path: `/api/v1/audit/${service}`,
    summary: `Who did what when, as ${service} wrote it down, newest first; a page may be short or empty while there is a next one`,
    roles: people,
    query: AuditQuery,
    status: 200,
    response: z.object({ entries: z.array(AuditEntryView), next_page_token: z.string().nullable() }),
  });
}

export function verifyAuditOf(service: string) {
  return endpoint({
    id: idOf("verify", service),
    method: "GET",
    path: `/api/v1/audit/${service}/verification`,
    summary: `Whether the audit log of ${service} is whole: every hash is computed anew, for some seconds a call`,
    roles: people,
    query: z.object({
      from: AuditHead.optional().describe("Where an unfinished verification goes on"),
      kept: AuditHead.optional().describe("A head of an earlier verification, which has to be in the log still"),
    }),
    status: 200,
    response: AuditVerdict,
  });
}
