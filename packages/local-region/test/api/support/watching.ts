import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { onTestFinished } from "vitest";
import type { ApiServer } from "../../../src/index.ts";
import type { Body } from "./region.ts";

type Seen = { readonly type: string; readonly object: Body };

export type Watching = {
  readonly status: number;
  /** Everything that came so far. */
  readonly seen: readonly Seen[];
  /** Resolves when the server or the network ended it. */
  readonly ended: Promise<void>;
  stop(): void;
};

/** Opens a watch; ends with the test. */
export async function watching(
  { url, caPem, adminToken }: Pick<ApiServer, "url" | "caPem" | "adminToken">,
  path: string,
  query: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<Watching> {
  const address = new URL(path, url);
  for (const [name, value] of Object.entries({ watch: "true", ...query })) address.searchParams.set(name, value);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const authorization = `Bearer ${adminToken}`;
    const request = httpsRequest(address, { ca: caPem, agent: false, headers: { authorization, ...headers } }, resolve);
    request.on("error", reject);
    request.end();
  });
  const seen: Seen[] = [];
  const stop = (): void => {
    answer.destroy();
  };
  onTestFinished(stop);
  return { status: answer.statusCode ?? 0, seen, ended: collect(answer, seen), stop };
}

async function collect(answer: IncomingMessage, seen: Seen[]): Promise<void> {
  let rest = "";
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const lines = (rest + chunk.toString("utf8")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) seen.push(JSON.parse(line) as Seen);
    }
  } catch {
    // The test ended the watch, or the server cut it.
  }
}
