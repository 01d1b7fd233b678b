import { expect, test } from "vitest";
import { readServedWeights } from "./served-weights.ts";

const page = [
  "# TYPE slipway_mesh_route_weight gauge",
  'slipway_mesh_route_weight{service="orders",namespace="prod",version="a-1"} 5',
  'slipway_mesh_route_weight{service="orders",namespace="prod",version="b-2"} 95',
  'slipway_mesh_route_weight{service="orders",namespace="prod",version="gone"} 0',
  'slipway_mesh_route_weight{service="orders",namespace="staging",version="c-3"} 100',
  'slipway_mesh_route_weight_max{service="orders",namespace="prod",version="a-1"} 5',
  'slipway_mesh_route_weight_max{service="orders",namespace="prod",version="b-2"} 100',
  'slipway_mesh_route_weight_max{service="orders",namespace="prod",version="gone"} 25',
  'slipway_mesh_route_weight_changed_seconds{service="orders",namespace="prod",version="gone"} 1.5',
  "",
].join("\n");

test("what each version of this service and environment has now, since when, and had at most, largest share first", () => {
  expect(readServedWeights(page, "orders", "prod")).toEqual([
    { version: "b-2", percent: 95, sinceMs: 0, most: 100 },
    { version: "a-1", percent: 5, sinceMs: 0, most: 5 },
    { version: "gone", percent: 0, sinceMs: 1_500, most: 25 },
  ]);
  expect(readServedWeights(page, "billing", "prod")).toEqual([]);
});

test("a page that was cut short is no reading: its last number would pass for a smaller one", () => {
  expect(() => readServedWeights(page.slice(0, -3), "orders", "prod")).toThrow("ends inside a line");
});
