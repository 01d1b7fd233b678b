import { expect, test } from "vitest";
import { unknownServiceWarning } from "./unknown-service.ts";

test("a secret of a service that nobody knows comes with a warning, and the name that was meant", () => {
  expect(unknownServiceWarning("ordrs", ["orders", "shop"])).toBe(
    'No service ordrs is known yet, did you mean "orders"? The secret waits for its first push or deployment.',
  );
  expect(unknownServiceWarning("billing", ["orders"])).toBe(
    "No service billing is known yet. The secret waits for its first push or deployment.",
  );
});

test("a secret of a known service comes without one", () => {
  expect(unknownServiceWarning("orders", ["orders", "shop"])).toBeUndefined();
});
