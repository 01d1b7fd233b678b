import { expect, test } from "vitest";
import { shippedElsewhere } from "./texts.ts";

test("the page says what its buttons ship where it shows another service", () => {
  expect(shippedElsewhere("orders", "shop")).toBe(
    "The page shows shop; the Ship buttons change orders, the example, and nothing else.",
  );
  expect(shippedElsewhere("orders", "orders")).toBeUndefined();
  expect(shippedElsewhere("orders", undefined)).toBeUndefined();
});
