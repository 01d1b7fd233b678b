import { retryAfterMs, type SendResult } from "./domain/delivery.ts";
import type { SlackMessage } from "./domain/slack.ts";

export type Send = (message: SlackMessage, signal: AbortSignal) => Promise<SendResult>;

/** Below the 10 s after which the database ends a transaction that does nothing. */
const timeoutMs = 5_000;

/** Posts to a Slack incoming webhook (or what speaks the same). The URL is a secret and appears in no result. */
export function slackWebhook(url: string): Send {
  return async (message, signal) => {
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json; charset=utf-8" },
        body: JSON.stringify(message),
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      return await resultOf(response);
    } catch (error) {
      return { kind: "unavailable", reason: reasonOf(error) };
    }
  };
}

async function resultOf(response: Response): Promise<SendResult> {
  const said = (await response.text()).slice(0, 200);
  if (response.ok) return { kind: "accepted" };
  const { status } = response;
  if (status === 429)
    return { kind: "slow_down", afterMs: retryAfterMs(response.headers.get("retry-after"), Date.now()) };
  const reason = `HTTP ${status}${/^[a-z_ ]{1,60}$/.test(said) ? ` ${said}` : ""}`;
  return status >= 500 || status === 408 ? { kind: "unavailable", reason } : { kind: "refused", reason };
}

/** The cause's code (ECONNREFUSED …) or the error's name; never a message, which may quote the URL. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "no answer";
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : error.name;
  return `no answer: ${code}`;
}
