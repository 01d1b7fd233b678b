import { describe, expect, test } from "vitest";
import { createCounters } from "./counters.ts";
import type { RouteTable } from "./routes.ts";

const second = 1_000;

/** Routes of one service: for each version its weight and its ready pods. */
function routes(versions: Readonly<Record<string, readonly [weight: number, ...pods: string[]]>>): RouteTable {
  const destinations = Object.entries(versions).map(([version, [weight, ...pods]]) => ({
    weight,
    backend: {
      host: `${version}.prod.svc.cluster.local`,
      version,
      endpoints: pods.map((pod) => ({ host: "127.0.0.1", port: 1, pod, version })),
    },
  }));
  return new Map([
    ["orders.prod", { service: "orders", namespace: "prod", routes: [{ name: "", matches: null, destinations }] }],
  ]);
}

function counting() {
  const clock = { now: 0 };
  const counters = createCounters(() => clock.now);
  const answer = (version: string, pod: string, code: number, flags?: "UH" | "UF") => {
    const unreached = flags && { flags, host: `${version}.prod.svc.cluster.local` };
    counters.observe({ service: "orders", namespace: "prod", version, pod, code, ms: 4, unreached });
  };
  /** Of each line with this name: the label's value, the code where it has one, and the count. */
  const linesOf = (name: string, label = "pod") =>
    counters
      .render()
      .split("\n")
      .filter((line) => line.startsWith(name))
      .map((line) => {
        const value = (of: string) => new RegExp(`[{,]${of}="([^"]*)"`).exec(line)?.[1];
        return [value(label), value("response_code"), line.split(" ").at(-1)];
      });
  return { clock, counters, answer, linesOf };
}

test("served weights are remembered at their largest after they fell, and since when they are what they are", () => {
  const { clock, counters } = counting();
  counters.serve(routes({ v1: [75, "a"], v2: [25, "b"] }));
  clock.now = 1_500;
  counters.serve(routes({ v1: [100, "a"], v2: [0, "b"] }));
  clock.now = 2_000;
  counters.serve(routes({ v1: [100, "a"] }));
  const page = counters.render();

  expect(page).toContain('slipway_mesh_route_weight{service="orders",namespace="prod",version="v2"} 0\n');
  expect(page).toContain('slipway_mesh_route_weight_max{service="orders",namespace="prod",version="v2"} 25\n');
  expect(page).toContain('_weight_changed_seconds{service="orders",namespace="prod",version="v2"} 1.5\n');
});

describe("the lines of a pod", () => {
  test("stay for three minutes after it left the routes, so that its last answers are read, and go then", () => {
    const { clock, counters, answer, linesOf } = counting();
    counters.serve(routes({ v1: [95, "a"], v2: [5, "b"] }));
    answer("v1", "a", 200);
    answer("v2", "b", 500);
    clock.now += 10 * second;
    counters.serve(routes({ v1: [100, "a"] }));
    answer("v2", "b", 502);

    clock.now += 180 * second;
    expect(linesOf("istio_requests_total")).toEqual([
      ["a", "200", "1"],
      ["b", "500", "1"],
      ["b", "502", "1"],
    ]);
    clock.now += 1;
    expect(linesOf("istio_requests_total")).toEqual([["a", "200", "1"]]);
    expect(linesOf("istio_request_duration_milliseconds_count")).toEqual([["a", undefined, "1"]]);
  });

  test("stay while it is there, however long ago its last answer was", () => {
    const { clock, counters, answer, linesOf } = counting();
    counters.serve(routes({ v1: [100, "a"] }));
    answer("v1", "a", 200);
    clock.now += 86_400 * second;

    expect(linesOf("istio_requests_total")).toEqual([["a", "200", "1"]]);
  });

  test("count on where it comes back within that time", () => {
    const { clock, counters, answer, linesOf } = counting();
    counters.serve(routes({ v1: [100, "a"] }));
    answer("v1", "a", 200);
    counters.serve(routes({ v1: [100] }));
    clock.now += 60 * second;
    counters.serve(routes({ v1: [100, "a"] }));
    clock.now += 180 * second;
    answer("v1", "a", 200);

    expect(linesOf("istio_requests_total")).toEqual([["a", "200", "2"]]);
  });

  test("that had left before its answer came are not kept for ever either", () => {
    const { clock, counters, answer, linesOf } = counting();
    counters.serve(routes({ v1: [100, "a"] }));
    answer("v2", "b", 200);
    clock.now += 181 * second;

    expect(linesOf("istio_requests_total")).toEqual([]);
  });
});

test("the answers of a version stay counted after its pods went, also those that reached none", () => {
  const { clock, counters, answer, linesOf } = counting();
  counters.serve(routes({ v1: [95, "a"], v2: [5, "b"] }));
  answer("v2", "b", 200);
  answer("v2", "b", 500);
  answer("v2", "", 503, "UH");
  answer("v2", "b", 503, "UF");
  counters.serve(routes({ v1: [100, "a"] }));
  clock.now += 3_600 * second;
  counters.render();

  expect(linesOf("slipway_mesh_requests_total", "version")).toEqual([
    ["v2", "200", "1"],
    ["v2", "500", "1"],
    ["v2", "503", "2"],
  ]);
  expect(linesOf("istio_requests_total", "response_flags")).toEqual([
    ["UH", "503", "1"],
    ["UF", "503", "1"],
  ]);
});
