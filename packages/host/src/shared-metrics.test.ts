import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { metricShapes } from "@slipway/metrics";
import { afterAll, describe, expect, test } from "vitest";
import { regionsAsked } from "./regions.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-shared-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("regions whose series are in one Prometheus", () => {
  const file = join(folder, "shared.json");
  const told = (...entries: readonly object[]) => {
    const whole = { kubeconfig: "k", context: "c", mesh_url: "http://m" };
    writeFileSync(file, JSON.stringify(entries.map((entry, index) => ({ name: `r${index}`, ...whole, ...entry }))));
    try {
      regionsAsked(file);
      return undefined;
    } catch (error) {
      return String(error);
    }
  };
  const thanos = "prometheus:https://thanos.example";
  const { istio } = metricShapes;
  const custom = (cluster: string, inAlive: boolean) => ({
    ...istio,
    labels: { ...istio.labels, cluster },
    alive: { ...istio.alive, labels: { ...istio.alive.labels, ...(inAlive ? { cluster } : {}) } },
  });

  test("are refused where nothing tells them apart, with what would", () => {
    const refusal =
      /1\.metrics_url: the regions r0 and r1 read the same series, .* `metrics_labels` .*\{ cluster: r1 \}/;
    expect(told({ metrics_url: thanos }, { metrics_url: thanos })).toMatch(refusal);
    expect(told({ metrics_url: thanos }, { metrics_url: "prometheus:https://Thanos.example:443/" })).toMatch(refusal);
    const [half, same] = [{ cluster: "a" }, { cluster: "a", tier: "b" }];
    expect(told({ metrics_url: thanos, metrics_labels: half }, { metrics_url: thanos })).toMatch(refusal);
    expect(told({ metrics_url: thanos, metrics_labels: half }, { metrics_url: thanos, metrics_labels: same })).toMatch(
      refusal,
    );
    // One whose mesh is scraped no more would look alive.
    const shapes = (inAlive: boolean) =>
      told(...["a", "b"].map((name) => ({ metrics_url: thanos, metrics_shape: custom(name, inAlive) })));
    expect(shapes(false)).toMatch(refusal);
    expect(shapes(true)).toBeUndefined();
    const page = { metrics_url: "scrape:http://proxy:15090" };
    expect(told(page, page)).toMatch(/r0 and r1 read the same series, .* name the mesh proxy of each$/);
    expect(
      told({ metrics_url: "prometheus:https://a:hunter2@p" }, { metrics_url: "prometheus:https://a:b@p" }),
    ).toMatch(/^(?!.*hunter2).*read the same series/);
  });

  test("are told apart by their labels, their path or their user, and labels are given to the shape that is named", () => {
    const labelled = (cluster: string) => ({ metrics_url: thanos, metrics_labels: { cluster } });
    expect(told(labelled("a"), { ...labelled("b"), metrics_shape: "envoy" }, labelled("c"))).toBeUndefined();
    expect(regionsAsked(file)).toMatchObject({
      entries: [
        { metrics_shape: { ...istio, everywhere: { cluster: "a" } } },
        { metrics_shape: { ...metricShapes.envoy, everywhere: { cluster: "b" } } },
        {},
      ],
    });
    expect(told({ metrics_url: thanos }, { metrics_url: `${thanos}/tenants/b` })).toBeUndefined();
    expect(
      told({ metrics_url: "prometheus:https://a:x@p" }, { metrics_url: "prometheus:https://b:x@p" }),
    ).toBeUndefined();
    expect(told({ metrics_url: "scrape:http://m", metrics_labels: { cluster: "a" } })).toMatch(
      /0\.metrics_labels: .* begins with prometheus:$/,
    );
    const token = { metrics_url: thanos, metrics_token_file: "a.token" };
    expect(told(token, { ...token, metrics_token_file: "b.token" })).toBeUndefined();
    expect(regionsAsked(file)).toMatchObject({ entries: [{ metrics_token_file: join(folder, "a.token") }, {}] });
    expect(told(token, token)).toMatch(/read the same series/);
    expect(told({ ...token, metrics_url: "prometheus:https://a:hunter2@p" })).toMatch(
      /^(?!.*hunter2).*0\.metrics_token_file: metrics_url has a user as well: leave one of them out$/,
    );
  });
});
