import assert from "node:assert/strict";
import { test } from "node:test";
import { createOrders, InvalidOrder, readOrder } from "../../dist/orders.js";

test("an order's total is computed from quantity and price", () => {
  const order = readOrder({ item: " anchor ", quantity: 3, cents: 1_999, total: 1 });

  assert.deepEqual(order, { item: "anchor", quantity: 3, cents: 1_999, total: 5_997 });
});

test("a placed order is found under its id and listed", () => {
  const orders = createOrders([]);

  const placed = orders.place({ item: "buoy", quantity: 1, cents: 900 });

  assert.equal(placed.id, "o-1");
  assert.equal(orders.find("o-1"), placed);
  assert.deepEqual(orders.list(), [placed]);
});

for (const [why, input] of [
  ["is no object", null],
  ["has no item", { quantity: 1, cents: 1 }],
  ["has an empty item", { item: "  ", quantity: 1, cents: 1 }],
  ["asks for nothing", { item: "rope", quantity: 0, cents: 1 }],
  ["asks for half a piece", { item: "rope", quantity: 0.5, cents: 1 }],
  ["has a negative price", { item: "rope", quantity: 1, cents: -1 }],
]) {
  test(`an order that ${why} is refused`, () => {
    assert.throws(() => readOrder(input), InvalidOrder);
  });
}
