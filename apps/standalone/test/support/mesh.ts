import type { IncomingHttpHeaders } from "node:http";
import { prometheusParser } from "@slipway/metrics";
import { Agent, request } from "undici";
import { servedWeight } from "../../src/story/traffic.ts";

export type Split = Readonly<Record<string, number>>;

/** Which version: a local region's mesh says it of every answer, behind an Envoy the example does. */
export function answeredBy(headers: IncomingHttpHeaders): string {
  return String(headers["x-slipway-version"] ?? headers["x-version"]);
}

/** Sends requests through a region's mesh address, twenty at a time; the answers by the version that gave them (`status <code>` for a failed one). */
export async function splitOf(meshUrl: string, requests: number): Promise<Split> {
  const agent = new Agent({ connections: 20, pipelining: 1 });
  const counts: Record<string, number> = {};
  let left = requests;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      const answer = await request(`${meshUrl}/orders`, { dispatcher: agent, headers: { host: "orders.prod" } });
      await answer.body.dump();
      const key = answer.statusCode >= 400 ? `status ${answer.statusCode}` : answeredBy(answer.headers);
      counts[key] = (counts[key] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 20 }, worker));
  await agent.close();
  return counts;
}

/** What the proxies of all regions say they serve of a version now. */
export async function servedNow(
  regions: Readonly<Record<string, { readonly admin: number }>>,
  version: string,
): Promise<Readonly<Record<string, number | null>>> {
  const entries = await Promise.all(
    Object.entries(regions).map(async ([name, { admin }]) => {
      const served = await servedWeight(`http://127.0.0.1:${admin}`, version);
      return [name, served?.now ?? null] as const;
    }),
  );
  return Object.fromEntries(entries);
}

/** Requests of a version that its pods failed, and those that the proxies answered since they reached none, in all regions. */
export async function failedBy(regions: Readonly<Record<string, { readonly admin: number }>>, version: string) {
  const failed = { pods: 0, callers: 0 };
  for (const { admin } of Object.values(regions)) {
    const { body } = await request(`http://127.0.0.1:${admin}/metrics`);
    const samples = prometheusParser(new Set(["istio_requests_total"]))(await body.text());
    for (const { labels, value } of samples) {
      const isOfCaller = labels.reporter === "source" && labels.destination_service_name === version;
      const isOfPod = labels.reporter === "destination" && labels.destination_workload === version;
      if (isOfCaller) failed.callers += value;
      if (isOfPod && Number(labels.response_code) >= 500) failed.pods += value;
    }
  }
  return failed;
}
