import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type ApiServer, type ApiServerOptions, startApiServer } from "../../../src/index.ts";
import { quiet } from "../../support/quiet.ts";

type Answer = { readonly status: number; readonly headers: IncomingMessage["headers"]; readonly body: Body };
/** Answers are looked at, field by field, in assertions. */
export type Body = {
  readonly [field: string]: unknown;
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string } & Record<
    string,
    unknown
  >;
  readonly items: readonly Body[];
};

export type Send = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;

export type TestRegion = ApiServer & { readonly dir: string; readonly send: Send };

export const jsonPatch = { "content-type": "application/json-patch+json" };
export const mergePatch = { "content-type": "application/merge-patch+json" };

export async function temporaryFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "slipway-api-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A region of its own, gone when the test is over. Its namespace prod is there. */
export async function testRegion(options: Partial<ApiServerOptions> = {}): Promise<TestRegion> {
  const dir = options.dir ?? (await temporaryFolder());
  const server = await startApiServer({ name: "eu-west-1", port: 0, log: quiet, ...options, dir });
  onTestFinished(() => server.stop());
  const send = sender(server);
  await send("POST", "/api/v1/namespaces", { metadata: { name: "prod" } });
  return { ...server, dir, send };
}

/** Plain https with the region's own certificate and token. */
export function sender({ url, caPem, adminToken }: Pick<ApiServer, "url" | "caPem" | "adminToken">): Send {
  return async (method, path, body, headers = {}) => {
    const payload = body === undefined ? "" : JSON.stringify(body);
    // Without it Node sends the body of a DELETE unframed.
    const length = { "content-length": String(Buffer.byteLength(payload)) };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpsRequest(
        new URL(path, url),
        {
          method,
          ca: caPem,
          agent: false,
          headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json", ...length, ...headers },
        },
        resolve,
      );
      request.on("error", reject);
      request.end(payload);
    });
    const chunks: Buffer[] = [];
    for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("utf8");
    const parsed: unknown = answer.headers["content-type"] === "application/json" ? JSON.parse(text) : { text };
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: parsed as Body };
  };
}
