import { type ClientRequest, type IncomingMessage, Agent as PlainAgent, request as plainRequest } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import type { KubeAccess } from "./kubeconfig.ts";

export type Query = Readonly<Record<string, string>>;

export type KubeClient = {
  /** One exchange; throws KubeError for an answer of 300 and above, KubeUnavailable when none came in time. */
  call(method: string, path: string, options?: CallOptions): Promise<unknown>;
  /** Opens an answer that goes on (a watch). The caller destroys it. */
  open(path: string, query: Query, signal: AbortSignal): Promise<IncomingMessage>;
  close(): void;
};

export type CallOptions = {
  readonly query?: Query;
  readonly body?: unknown;
  /** Default `application/json`; patches say theirs. */
  readonly contentType?: string;
};

export const mergePatch = "application/merge-patch+json";

/** The API answered, and not with what was asked for. */
export class KubeError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = "KubeError";
    this.status = status;
  }
}

/** No answer: the API is away, or too slow. */
export class KubeUnavailable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "KubeUnavailable";
  }
}

const callTimeoutMs = 5_000;
const answerLimitBytes = 64 * 1_048_576;

/** Plain HTTP on the Kubernetes API over kept-alive connections: a client library would cost 100 MB for four calls. */
export function createKubeClient(access: KubeAccess): KubeClient {
  const tls = access.server.startsWith("https:");
  const agent = tls
    ? new TlsAgent({ keepAlive: true, ca: access.ca, cert: access.certificate, key: access.key })
    : new PlainAgent({ keepAlive: true });
  const send = (method: string, path: string, query: Query, headers: Record<string, string>): ClientRequest => {
    const url = new URL(access.server.replace(/\/$/, "") + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const authorization = access.token === undefined ? {} : { authorization: `Bearer ${access.token}` };
    const options = { method, agent, headers: { accept: "application/json", ...authorization, ...headers } };
    return tls ? tlsRequest(url, options) : plainRequest(url, options);
  };
  return {
    async call(method, path, { query = {}, body, contentType = "application/json" } = {}) {
      const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const about = payload === undefined ? {} : { "content-type": contentType, "content-length": `${payload.length}` };
      const request = send(method, path, query, about);
      const timer = setTimeout(() => request.destroy(new Error("no answer in time")), callTimeoutMs);
      try {
        const answer = await answerOf(request, payload);
        return checked(answer.statusCode ?? 0, await bodyOf(answer));
      } catch (error) {
        if (error instanceof KubeError) throw error;
        throw new KubeUnavailable(`${method} ${path} had no answer`, error);
      } finally {
        clearTimeout(timer);
      }
    },
    async open(path, query, signal) {
      const request = send("GET", path, query, {});
      const abort = () => request.destroy(new Error("aborted"));
      signal.addEventListener("abort", abort, { once: true });
      request.once("close", () => signal.removeEventListener("abort", abort));
      if (signal.aborted) abort();
      const timer = setTimeout(() => request.destroy(new Error("no answer in time")), callTimeoutMs);
      try {
        const answer = await answerOf(request, undefined);
        if (answer.statusCode !== 200) checked(answer.statusCode ?? 0, await bodyOf(answer));
        return answer;
      } catch (error) {
        if (error instanceof KubeError) throw error;
        throw new KubeUnavailable(`watch ${path} had no answer`, error);
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => agent.destroy(),
  };
}

function answerOf(request: ClientRequest, payload: Uint8Array | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once("response", resolve);
    // Stays on after the answer began: a connection that breaks later must not become an uncaught error.
    request.on("error", reject);
    request.end(payload);
  });
}

async function bodyOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerLimitBytes) throw new Error("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function checked(status: number, text: string): unknown {
  const body: unknown = text === "" ? undefined : JSON.parse(text);
  if (status >= 200 && status < 300) return body;
  const message = typeof body === "object" && body !== null && "message" in body ? String(body.message) : text;
  throw new KubeError(status, `${status}: ${message.slice(0, 500)}`);
}
