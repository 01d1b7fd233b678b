import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { authOf, basicHeader, type Credentials, parseChallenge, refuseLeak, renewable, tokenUrl } from "./auth.ts";
import { Connections } from "./connections.ts";
import { OciError, type OciErrorKind } from "./errors.ts";
import { type ConnectionGuard, checkHop } from "./guard.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

export type Call = {
  readonly method: Method;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Opened anew for each attempt. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>;
  readonly bodyBytes?: number;
  /** Token scope, e.g. `repository:orders:pull,push`. */
  readonly scope: string;
  /** Statuses to hand back; any other one is an OciError. */
  readonly expect: readonly number[];
  readonly deadline: Deadline;
  /** False for requests whose repetition does something else, e.g. a chunk at an offset. */
  readonly repeatable?: boolean;
  /** How long one attempt waits for its answer, in milliseconds. Default a minute: whoever ends a large upload is answered once all of it is stored. */
  readonly answerWithinMs?: number;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array> & { dump(): Promise<void> };
};

/** A point in monotonic time together with the signal that fires there (or when the caller gives up). */
export type Deadline = { readonly at: number; readonly signal: AbortSignal };

export function deadlineIn(ms: number, signal: AbortSignal | undefined): Deadline {
  const timeout = AbortSignal.timeout(ms);
  return { at: performance.now() + ms, signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]) };
}

const TokenAnswer = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().optional(),
});
const ErrorBody = z.object({ errors: z.array(z.object({ code: z.string(), message: z.string().optional() })).min(1) });

const retryStatuses = new Set([408, 429, 500, 502, 503, 504]);
const redirectStatuses = new Set([301, 302, 303, 307, 308]);
const maxSmallBody = 8 * 1024 * 1024;

export type TransportOptions = {
  readonly registry: URL;
  readonly auth: Credentials | undefined;
  readonly random: () => number;
  readonly guard?: ConnectionGuard | undefined;
};

/** HTTP with authentication, redirects and retries. Knows nothing of blobs and manifests. */
export class Transport {
  readonly #registry: URL;
  readonly #auth: TransportOptions["auth"];
  readonly #random: () => number;
  readonly #guard: ConnectionGuard | undefined;
  readonly #connections: Connections;
  #basic = false;
  readonly #tokens = new Map<string, { readonly header: string; readonly until: number }>();

  constructor(options: TransportOptions) {
    this.#registry = options.registry;
    this.#auth = options.auth;
    this.#random = options.random;
    this.#guard = options.guard;
    this.#connections = new Connections(options.guard);
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  /** Sends until an expected answer, a final refusal or the deadline. Time running out says what the registry said last. */
  async send(call: Call): Promise<Answer> {
    let last: OciError | undefined;
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.#attempt(call);
      if (outcome.kind === "answer") return outcome.answer;
      if (call.deadline.signal.aborted) throw last ?? outcome.error;
      last = outcome.error;
      const wait = outcome.afterMs ?? Math.min(5_000, 100 * 2 ** attempt) * (0.5 + this.#random() / 2);
      const late = performance.now() + wait >= call.deadline.at;
      if (call.repeatable === false || late || attempt >= 8) throw last;
      await delay(wait, undefined, { signal: call.deadline.signal }).catch(() => undefined);
    }
  }

  async #attempt(
    call: Call,
  ): Promise<{ kind: "answer"; answer: Answer } | { kind: "again"; error: OciError; afterMs: number | undefined }> {
    try {
      const answer = await this.#authorised(call);
      if (call.expect.includes(answer.status)) return { kind: "answer", answer };
      const error = await this.#errorOf(call, answer);
      if (!retryStatuses.has(answer.status)) throw error;
      const after = Number(answer.headers["retry-after"] ?? Number.NaN);
      return { kind: "again", error, afterMs: Number.isFinite(after) ? after * 1_000 : undefined };
    } catch (cause) {
      const refused = refusalIn(cause);
      if (refused !== undefined) throw refused;
      const why = cause instanceof Error ? cause.message : String(cause);
      const error = new OciError("unavailable", `${call.method} ${call.url.href}: ${why}`, { cause });
      return { kind: "again", error, afterMs: undefined };
    }
  }

  /** Each way to more rights is tried once: what the registry asks for, then credentials in place of those that may have ended. */
  async #authorised(call: Call): Promise<Answer> {
    let mayLearn = true;
    let mayRenew = renewable(this.#auth) !== undefined;
    for (;;) {
      const sentAt = performance.now();
      const sentBasic = this.#basic;
      const answer = await this.#follow(call);
      if (answer.status === 401 && mayLearn && (await this.#learn(answer, call, sentBasic))) {
        mayLearn = false;
      } else if (mayRenew && sentBasic && (answer.status === 401 || answer.status === 403)) {
        // Not every registry challenges what has ended: ECR says 403, as where a right is missing.
        mayRenew = false;
        renewable(this.#auth)?.refused(sentAt);
      } else return answer;
      await answer.body.dump();
    }
  }

  /** Takes the answer to a challenge up. False where it brings nothing that was not tried already. */
  async #learn(answer: Answer, call: Call, sentBasic: boolean): Promise<boolean> {
    const challenge = parseChallenge(answer.headers["www-authenticate"] ?? "");
    if (challenge === undefined) return false;
    if (challenge.scheme === "basic") {
      this.#basic = true;
      return !sentBasic && this.#auth !== undefined;
    }
    const url = tokenUrl(challenge, call.scope);
    refuseLeak(url, this.#registry);
    checkHop(this.#guard, url);
    // Without credentials too: public registries give a token to anybody who asks for one.
    const auth = await authOf(this.#auth, call.deadline.signal);
    const headers = auth === undefined ? {} : { authorization: basicHeader(auth.username, auth.password) };
    const { statusCode, body } = await this.#connections.request(url, {
      signal: call.deadline.signal,
      headers: { "user-agent": "slipway", ...headers },
    });
    if (statusCode !== 200) {
      await body.dump();
      throw new OciError("unauthorised", `the token server answered ${statusCode}`, { status: statusCode });
    }
    const { token, access_token, expires_in = 60 } = TokenAnswer.parse(await body.json());
    const value = token ?? access_token;
    if (value === undefined) throw new OciError("unauthorised", "the token server answered without a token");
    const until = performance.now() + expires_in * 900;
    this.#tokens.set(call.scope, { header: `Bearer ${value}`, until });
    return true;
  }

  async #authorization(call: Call, url: URL): Promise<string | undefined> {
    if (url.origin !== this.#registry.origin) return undefined;
    const auth = this.#basic ? await authOf(this.#auth, call.deadline.signal) : undefined;
    if (auth !== undefined) return basicHeader(auth.username, auth.password);
    const token = this.#tokens.get(call.scope);
    return token !== undefined && token.until > performance.now() ? token.header : undefined;
  }

  async #follow(call: Call): Promise<Answer> {
    let url = call.url;
    for (let hops = 0; hops < 4; hops += 1) {
      const answer = await this.#once(call, url);
      const location = answer.headers.location;
      const readOnly = call.method === "GET" || call.method === "HEAD";
      if (!readOnly || !redirectStatuses.has(answer.status) || location === undefined) return answer;
      await answer.body.dump();
      url = new URL(location, url);
    }
    throw new OciError("refused", `${call.method} ${call.url.href}: too many redirects`);
  }

  async #once(call: Call, url: URL): Promise<Answer> {
    checkHop(this.#guard, url);
    const authorization = await this.#authorization(call, url);
    const response = await this.#connections.request(url, {
      method: call.method,
      signal: call.deadline.signal,
      headers: {
        "user-agent": "slipway",
        ...call.headers,
        ...(authorization === undefined ? {} : { authorization }),
        ...(call.bodyBytes === undefined ? {} : { "content-length": String(call.bodyBytes) }),
      },
      body: bodyOf(call),
      ...(call.answerWithinMs === undefined ? {} : { headersTimeout: call.answerWithinMs }),
    });
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(response.headers)) {
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
    }
    return { status: response.statusCode, headers, body: response.body };
  }

  async #errorOf(call: Call, answer: Answer): Promise<OciError> {
    const text = await readSmall(answer.body, 64 * 1024).catch(() => new Uint8Array());
    const parsed = ErrorBody.safeParse(parseJson(text));
    const first = parsed.success ? parsed.data.errors[0] : undefined;
    const detail = first === undefined ? "" : `: ${first.code} ${first.message ?? ""}`.trimEnd();
    return new OciError(kindOf(answer.status), `${call.method} ${call.url.pathname}: ${answer.status}${detail}`, {
      status: answer.status,
      ...(first === undefined ? {} : { code: first.code }),
    });
  }
}

/** An OciError, also as the reason for which a connection was not made. */
function refusalIn(cause: unknown): OciError | undefined {
  if (cause instanceof OciError) return cause;
  return cause instanceof Error && cause.cause instanceof OciError ? cause.cause : undefined;
}

function bodyOf(call: Call): Uint8Array | Readable | null {
  const body = call.body?.();
  if (body === undefined) return null;
  return body instanceof Uint8Array ? body : Readable.from(body, { objectMode: false });
}

function kindOf(status: number): OciErrorKind {
  if (status === 401) return "unauthorised";
  if (status === 403) return "forbidden";
  if (status === 404) return "not_found";
  if (status === 413) return "too_large";
  return retryStatuses.has(status) ? "unavailable" : "refused";
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}

/** Reads a whole body that ought to be small; more than `cap` bytes is `too_large`. */
export async function readSmall(body: AsyncIterable<Uint8Array>, cap = maxSmallBody): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.byteLength;
    if (size > cap) throw new OciError("too_large", `the answer has more than ${cap} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
