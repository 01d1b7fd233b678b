import { expect, test } from "vitest";
import { readRouteWeights } from "./route-weights.ts";

const page = [
  "# TYPE slipway_mesh_route_weight gauge",
  'slipway_mesh_route_weight{service="orders",namespace="prod",version="a-1"} 5',
  'slipway_mesh_route_weight{service="orders",namespace="prod",version="b-2"} 95',
  'slipway_mesh_route_weight{service="orders",namespace="prod",version="gone"} 0',
  'slipway_mesh_route_weight{service="orders",namespace="staging",version="c-3"} 100',
  'slipway_mesh_route_weight_max{service="orders",namespace="prod",version="gone"} 25',
].join("\n");

test("the versions that serve now, largest share first, of this service and environment alone", () => {
  expect(readRouteWeights(page, "orders", "prod")).toEqual([
    { version: "b-2", percent: 95 },
    { version: "a-1", percent: 5 },
  ]);
  expect(readRouteWeights(page, "billing", "prod")).toEqual([]);
});
