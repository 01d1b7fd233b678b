import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { realPart, startPrometheus, until } from "@slipway/testkit";
import { collectDefaultMetrics, Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type DescribedMetric, dashboards, describedMetrics } from "./dashboards.ts";

const part = realPart("prometheus");
const Answer = z.object({ status: z.literal("success"), data: z.object({ result: z.array(z.unknown()) }) });

/** Of each label a value that the dashboards ask for, where they ask for one. */
const labels: Readonly<Record<string, string>> = {
  ...{ service: "rollback-controller", region: "eu-west-1", environment: "prod", phase: "queued", type: "succeeded" },
  ...{ mode: "live", verdict: "PASS", outcome: "failed", method: "GET", route: "/api/v1/deployments", status: "200" },
};

describe.skipIf(part === undefined)("the dashboards before a real Prometheus", () => {
  let page: Server;
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
  beforeAll(async () => {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry, prefix: "slipway_" });
    let scrapes = 0;
    page = createServer((_request, response) => {
      scrapes += 1;
      const own = describedMetrics().flatMap((metric) => seriesOf(metric, scrapes));
      void registry
        .metrics()
        .then((text) =>
          response.writeHead(200, { "content-type": registry.contentType }).end(`${own.join("\n")}\n${text}`),
        );
    }).listen(0, "127.0.0.1");
    await once(page, "listening");
    const url = `http://127.0.0.1:${(page.address() as AddressInfo).port}/metrics`;
    prometheus = await startPrometheus(part!, { url });
    await until(() => Promise.resolve(scrapes > 3), { what: "four scrapes" });
  });
  afterAll(async () => {
    await prometheus?.stop();
    page?.close();
  });

  test.each(
    dashboards().flatMap(({ name, panels }) =>
      panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [`${name}: ${title}`, expr] as const)),
    ),
  )("%s shows something: %s", async (_, expr) => {
    const query = `${prometheus.url}/api/v1/query?query=${encodeURIComponent(expr)}`;
    const ask = async () => Answer.parse(await (await fetch(query)).json()).data.result.length;

    expect(await until(async () => (await ask()) || undefined, { what: "a series" })).toBeGreaterThan(0);
  });
});

/** A series of the metric as a process prints it; counters grow with each scrape. */
function seriesOf({ name, kind, labels: own }: DescribedMetric, scrapes: number): string[] {
  const pairs = own.map((label) => `${label}="${labels[label] ?? "x"}"`);
  const line = (suffix: string, value: number, ...more: string[]) =>
    `${name}${suffix}{${[...pairs, ...more].join(",")}} ${value}`;
  const type = `# TYPE ${name} ${kind}`;
  if (kind !== "histogram") return [type, line("", kind === "counter" ? 10 * scrapes : 1)];
  const buckets = ["0.1", "1", "+Inf"].map((le) => line("_bucket", 10 * scrapes, `le="${le}"`));
  return [type, ...buckets, line("_sum", scrapes), line("_count", 10 * scrapes)];
}
