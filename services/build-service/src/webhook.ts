import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { GitSha } from "@slipway/kernel";
import { storableText } from "@slipway/sql";
import { z } from "zod";
import { matchKeyOfText } from "./repository-url.ts";

/** GitHub's headers: https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers */
export type WebhookHeaders = {
  readonly event: string;
  readonly delivery: string;
  readonly signature: string | undefined;
};

const sha = z.string().regex(/^[0-9a-f]{40}$/);
const Repository = z.looseObject({
  full_name: z.string().optional(),
  clone_url: z.string().optional(),
  html_url: z.string().optional(),
  ssh_url: z.string().optional(),
  git_url: z.string().optional(),
});
const Envelope = z.looseObject({ repository: Repository });
const Push = Envelope.extend({
  // Git allows none of these in a name, and a database could not hold some.
  ref: z
    .string()
    .min(1)
    .max(1_000)
    .refine((ref) => !/[\p{Cc}\p{Cs} ~^:?*[\\]/u.test(ref), "is no name that git gives a ref"),
  after: sha,
  deleted: z.boolean().optional(),
  head_commit: z
    .looseObject({
      id: sha,
      timestamp: z.string(),
      author: z.looseObject({ name: z.string() }).optional(),
    })
    .nullish(),
  pusher: z.looseObject({ name: z.string() }).optional(),
});

/** A webhook as far as it can be read before its sender is known to be who they say. */
export type UnverifiedWebhook = { readonly payload: unknown; readonly matchKeys: readonly string[] };

export type PushedCommit = {
  readonly kind: "push";
  readonly gitSha: GitSha;
  readonly ref: string;
  readonly author: string;
  /** RFC 3339 as the payload has it; undefined when it is no time. */
  readonly committedAt: Date | undefined;
};
export type Ignored = { readonly kind: "ignored"; readonly why: string };
export type Unreadable = { readonly kind: "unreadable"; readonly why: string };

const noCommit = "0".repeat(40);

/** HMAC-SHA256 over the raw bytes, compared in constant time. */
export function signatureMatches(body: Uint8Array, secret: string, signature: string): boolean {
  const match = /^sha256=([0-9a-f]{64})$/.exec(signature);
  if (match === null) return false;
  const expected = createHmac("sha256", secret).update(body).digest();
  return timingSafeEqual(expected, Buffer.from(match[1] ?? "", "hex"));
}

export function bodyHash(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}

/** Finds out which repository a webhook speaks of. Nothing of it may be acted upon before the signature is checked. */
export function readWebhook(body: Uint8Array): UnverifiedWebhook | Unreadable {
  let payload: unknown;
  try {
    payload = JSON.parse(payloadText(new TextDecoder("utf-8", { fatal: true }).decode(body)));
  } catch {
    return { kind: "unreadable", why: "the body is not JSON in UTF-8" };
  }
  const envelope = Envelope.safeParse(payload);
  if (!envelope.success) return { kind: "unreadable", why: "the payload names no repository" };
  const { clone_url, html_url, ssh_url, git_url } = envelope.data.repository;
  const urls = [clone_url, html_url, ssh_url, git_url].filter((url) => url !== undefined);
  const matchKeys = new Set(urls.map(matchKeyOfText).filter((key) => key !== undefined));
  return { payload, matchKeys: [...matchKeys] };
}

/** GitHub sends the payload as it is, or as the field of a form: whoever sets up a webhook there chooses, and a form is what is chosen at first. */
function payloadText(body: string): string {
  return body.startsWith("payload=") ? (new URLSearchParams(body).get("payload") ?? "") : body;
}

/** What a verified webhook asks for. Only pushes to branches are built. */
export function readPush(event: string, payload: unknown): PushedCommit | Ignored | Unreadable {
  if (event === "ping") return { kind: "ignored", why: "ping" };
  if (event !== "push") return { kind: "ignored", why: `events of type ${event.slice(0, 60)} are not built` };
  const push = Push.safeParse(payload);
  if (!push.success) return { kind: "unreadable", why: issueText(push.error) };
  const { ref, after, deleted, head_commit: head, pusher } = push.data;
  if (!ref.startsWith("refs/heads/")) return { kind: "ignored", why: `${ref} is not a branch` };
  if (deleted === true || after === noCommit) return { kind: "ignored", why: `${ref} was deleted` };
  const time = new Date(head?.timestamp ?? Number.NaN);
  return {
    kind: "push",
    gitSha: after as GitSha,
    ref,
    author: storableName(head?.author?.name ?? pusher?.name ?? "unknown"),
    committedAt: Number.isNaN(time.getTime()) ? undefined : time,
  };
}

/** A name is shown, never acted upon: what a database cannot hold is replaced, and what is too long is cut. */
function storableName(name: string): string {
  return storableText(name.slice(0, 200));
}

function issueText(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.map(String).join(".")}: ${issue.message}`).join("; ");
}
