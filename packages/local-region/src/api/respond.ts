import type { IncomingMessage, ServerResponse } from "node:http";
import { type ApiError, badRequest, tooLarge, unsupportedMediaType } from "./api-error.ts";

const mostBodyBytes = 3 * 1_048_576;

export type Answer = { readonly code: number; readonly body: unknown };

export function send(response: ServerResponse, { code, body }: Answer): void {
  const payload = Buffer.from(JSON.stringify(body));
  response.writeHead(code, {
    "content-type": "application/json",
    "content-length": payload.length,
    "cache-control": "no-cache, private",
  });
  response.end(payload);
}

export function sendError(response: ServerResponse, error: ApiError): void {
  const retryAfter = error.details?.retryAfterSeconds;
  if (retryAfter !== undefined) response.setHeader("retry-after", String(retryAfter));
  send(response, { code: error.code, body: error.body() });
}

/** The parsed JSON body; undefined where there is none. Throws ApiError 400, 413 or 415. */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const type = request.headers["content-type"] ?? "application/json";
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Left open when it is too large: the refusal still has to go out over the same connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBodyBytes) throw tooLarge(mostBodyBytes);
    chunks.push(chunk);
  }
  if (bytes === 0) return undefined;
  if (!/^application\/([a-z-]+\+)?json\s*(;|$)/i.test(type)) throw unsupportedMediaType(["application/json"]);
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
  } catch (error) {
    throw badRequest(`the body is no JSON: ${error instanceof Error ? error.message : ""}`);
  }
}
