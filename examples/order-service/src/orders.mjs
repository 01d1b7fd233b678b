/** The orders of this process, kept in memory. Amounts are whole cents. */
export function createOrders(first = sampleOrders()) {
  const orders = new Map(first.map((order) => [order.id, order]));
  let next = orders.size + 1;
  return {
    list: () => [...orders.values()],
    find: (id) => orders.get(id),
    /** Stores a valid order and returns it; throws InvalidOrder otherwise. */
    place(input) {
      const order = { id: `o-${next}`, ...readOrder(input) };
      next += 1;
      orders.set(order.id, order);
      return order;
    },
  };
}

export class InvalidOrder extends Error {}

/** Reads `{ item, quantity, cents }` of a request; the total is computed here and never taken from outside. */
export function readOrder(input) {
  if (typeof input !== "object" || input === null) throw new InvalidOrder("an order is an object");
  const { item, quantity, cents } = input;
  if (typeof item !== "string" || item.trim() === "") throw new InvalidOrder("item is a name");
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > 1_000) throw new InvalidOrder("quantity is 1 to 1000");
  if (!Number.isInteger(cents) || cents < 0) throw new InvalidOrder("cents is a whole number, not negative");
  return { item: item.trim(), quantity, cents, total: quantity * cents };
}

function sampleOrders() {
  return [
    { id: "o-1", item: "rope, 20 m", quantity: 2, cents: 1_850, total: 3_700 },
    { id: "o-2", item: "cleat", quantity: 6, cents: 420, total: 2_520 },
  ];
}
