import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export type Asked = { readonly method: string; readonly path: string; readonly body: unknown };

/** Answers as the platform would, as far as the command line reads it, and keeps what it was asked. What has a `code` is a problem, with its status. */
export async function scriptedPlatform(answerTo: (method: string, path: string) => object) {
  const asked: Asked[] = [];
  const server = createServer(async (request, answer) => {
    const body = await text(request);
    const { method = "", url: path = "" } = request;
    asked.push({ method, path, body: body === "" ? undefined : JSON.parse(body) });
    const said = answerTo(method, path);
    if ("code" in said && "status" in said) answer.statusCode = Number(said.status);
    answer.setHeader("content-type", "application/json").end(JSON.stringify(said));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { asked, url, env: { SLIPWAY_URL: url, SLIPWAY_TOKEN: "slp_x" }, close: () => void server.close() };
}
