import { readFile } from "node:fs/promises";
import { errorCodes } from "@slipway/kernel";
import { Agent, request } from "undici";
import { z } from "zod";
import { MetricsUnreadable } from "./types.ts";
import { unreachable } from "./unreachable.ts";

/** One series of an instant vector: its labels and its value. */
export type Series = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

/** Runs one instant query at a moment (seconds), or now; the moment is that of Prometheus's own clock. */
export type PrometheusQuery = (
  query: string,
  at?: number,
) => Promise<{ readonly at: number; readonly series: readonly Series[] }>;

const Answer = z.object({
  status: z.literal("success"),
  // A source that could not see everything says so: then what it says is no reading.
  warnings: z.array(z.string()).default([]),
  data: z.object({
    resultType: z.literal("vector"),
    result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
  }),
});
const Refusal = z.object({ status: z.literal("error"), errorType: z.string(), error: z.string() });

/**
 * Hundreds of watches look at the same moment, while a Prometheus runs 20 queries at a time and takes 512 connections by default: what is beyond
 * waits here, within its deadline, and not for a connection there.
 */
const connections = new Agent({ connections: 32, connect: { timeout: 2_000 } });

export function prometheusQuery(url: string, timeoutMs: number, tokenFile?: string): PrometheusQuery {
  const { endpoint, authorization: basic } = endpointOf(url);
  const name = endpoint.host;
  const known: Record<string, string> = basic === undefined ? {} : { authorization: basic };
  const refused = refusedBy(tokenFile, basic);
  return async (query, at) => {
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      ...(tokenFile === undefined ? known : { authorization: await bearerOf(tokenFile) }),
    };
    const form = new URLSearchParams({
      query,
      timeout: `${timeoutMs}ms`,
      ...(at === undefined ? {} : { time: String(at) }),
    });
    const { statusCode, text } = await post(endpoint, headers, form.toString(), timeoutMs);
    if (statusCode === 401 || statusCode === 403) {
      throw new MetricsUnreadable(`Prometheus at ${name} ${refused(statusCode)}`);
    }
    const body = parseJson(text);
    const refusal = Refusal.safeParse(body);
    if (refusal.success)
      throw new MetricsUnreadable(`Prometheus at ${name} refuses the query: ${refusal.data.error.slice(0, 300)}`);
    const answer = Answer.safeParse(body);
    if (!answer.success) {
      throw new MetricsUnreadable(
        `what answers at ${name} is not Prometheus (status ${statusCode}): correct metrics_url`,
      );
    }
    const { warnings, data } = answer.data;
    if (warnings.length > 0)
      throw new MetricsUnreadable(`Prometheus at ${name} saw only a part: ${warnings.join("; ").slice(0, 300)}`);
    const series = data.result.map(({ metric, value: [, value] }) => ({ labels: metric, value: numberOf(value) }));
    return { at: data.result[0]?.value[0] ?? 0, series };
  };
}

/** By what was said to it. */
function refusedBy(tokenFile: string | undefined, basic: string | undefined): (status: number) => string {
  if (tokenFile !== undefined) return (status) => `refuses the token (${status}): put a valid one into ${tokenFile}`;
  if (basic !== undefined) return (status) => `refuses user and password (${status}): correct them in metrics_url`;
  return (status) =>
    `wants to know who asks (${status}): put user and password into metrics_url (prometheus:https://user:password@host), or a bearer token into a file that metrics_token_file names`;
}

/** Read each time, since others renew it. */
async function bearerOf(file: string): Promise<string> {
  const token = await readFile(file, "utf8").catch((error: unknown) => {
    const code = errorCodes(error).trim();
    throw new MetricsUnreadable(
      `the token of Prometheus in ${file} cannot be read (${code}): put it there, or correct metrics_token_file`,
      error,
    );
  });
  // Nothing else may stand in a header, and what a client says of it might be logged.
  if (!/^[\x21-\x7e]+$/.test(token.trim()))
    throw new MetricsUnreadable(
      `${file} holds no token of Prometheus: put one there, on a single line and nothing else`,
    );
  return `Bearer ${token.trim()}`;
}

function endpointOf(text: string): { endpoint: URL; authorization: string | undefined } {
  const endpoint = new URL(text);
  const { username, password } = endpoint;
  const plain = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  endpoint.username = "";
  endpoint.password = "";
  endpoint.pathname = `${endpoint.pathname.replace(/\/+$/, "")}/api/v1/query`;
  const authorization = username === "" ? undefined : `Basic ${Buffer.from(plain).toString("base64")}`;
  return { endpoint, authorization };
}

async function post(endpoint: URL, headers: Record<string, string>, body: string, timeoutMs: number) {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await request(endpoint, { method: "POST", headers, body, signal, dispatcher: connections });
    return { statusCode: answer.statusCode, text: await answer.body.text() };
  } catch (error) {
    throw new MetricsUnreadable(unreachable(`Prometheus at ${endpoint.host}`, error), error);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function numberOf(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  return Number(text);
}
