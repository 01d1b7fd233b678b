import { type IncomingHttpHeaders, type IncomingMessage, request as open, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { RegistryAuth } from "@slipway/oci";

/** The registry in which the bytes really are. */
export type Behind = { readonly url: string; readonly auth: RegistryAuth };

type Asked = {
  readonly method: string;
  readonly path: string;
  readonly headers?: IncomingHttpHeaders;
  /** Streamed as it comes, or whole. */
  readonly body?: IncomingMessage | Buffer;
};

const passed = ["accept", "content-type", "content-length", "content-range", "range"];

/** Its answer, whose body is not read yet. */
export async function askBehind(
  { url, auth }: Behind,
  { method, path, headers = {}, body }: Asked,
): Promise<IncomingMessage> {
  const kept = Object.fromEntries(
    passed.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])),
  );
  const basic = Buffer.from(`${auth.username}:${auth.password}`).toString("base64");
  const sent = open(new URL(path, url), {
    method,
    headers: { ...kept, authorization: `Basic ${basic}` },
    agent: false,
  });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("response", resolve);
    sent.once("error", reject);
  });
  answer.catch(() => undefined);
  if (body === undefined || Buffer.isBuffer(body)) sent.end(body);
  else {
    // Broken off here, it is broken off there.
    const sending = pipeline(body, sent);
    sending.catch(() => undefined);
    await Promise.race([sending, answer]);
  }
  return answer;
}

export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const answered = [
  "content-type",
  "content-length",
  "content-range",
  "docker-content-digest",
  "docker-upload-uuid",
  "range",
];

/** Hands an answer on, with a status and headers in place of its own. */
export async function handOn(
  answer: IncomingMessage,
  response: ServerResponse,
  { status = answer.statusCode ?? 500, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): Promise<void> {
  const kept = Object.fromEntries(
    answered.flatMap((name) => (answer.headers[name] === undefined ? [] : [[name, answer.headers[name]]])),
  );
  const { location } = answer.headers;
  const here = location === undefined ? {} : { location: pathOf(location) };
  response.writeHead(status, { ...kept, ...here, ...headers });
  await pipeline(answer, response);
}

/** Without the host, which is the one behind. */
function pathOf(location: string): string {
  const { pathname, search } = new URL(location, "http://here");
  return `${pathname}${search}`;
}

/** An error as registries answer it. */
export function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}
