import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export type Asked = { readonly query: string; readonly time: string | null };

/** A Prometheus that scrapes Istio's counters of many services, as far as it can be told by what it is asked, and with a clock that the test turns. */
export async function startScriptedPrometheus() {
  /** When each version was scraped last, by its name. */
  const scraped = new Map<string, number>();
  const asked: Asked[] = [];
  const state = { now: 1_000_000, refuses: false, holds: undefined as Promise<void> | undefined };
  const newest = (names: readonly string[]) =>
    names.map((name) => scraped.get(name) ?? 0).reduce((a, b) => Math.max(a, b), 0);
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(await bodyOf(request));
    const query = form.get("query") ?? "";
    asked.push({ query, time: form.get("time") });
    const at = Number(form.get("time") ?? state.now);
    let values: number[] = [];
    if (isOfVersions(query)) values = [newest([...scraped.keys()].filter((name) => query.includes(name)))];
    if (isOfAll(query)) {
      await state.holds;
      const last = newest([...scraped.keys()]);
      values = last === 0 ? [] : [last];
    }
    const result = values.map((value) => ({ metric: {}, value: [at, String(value)] }));
    const refusal = { status: "error", errorType: "execution", error: "too many samples" };
    const isRefused = state.refuses && isOfAll(query);
    response.end(JSON.stringify(isRefused ? refusal : { status: "success", data: { resultType: "vector", result } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    ...{ state, scraped, asked },
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Questions for the newest sample of a whole environment. */
    ofAll: () => asked.filter(({ query }) => isOfAll(query)),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const isOfVersions = (query: string) =>
  query.startsWith("max(timestamp(") && /destination_(?:workload|service)=~/.test(query);
const isOfAll = (query: string) => query.startsWith("max(timestamp(") && !isOfVersions(query);

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}
