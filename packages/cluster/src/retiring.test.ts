import fc from "fast-check";
import { expect, test } from "vitest";
import { anyRawVirtualService, parsed, versions } from "../test/support/any-virtual-service.ts";
import { applyPatch } from "../test/support/json-patch.ts";
import { decideRetire } from "./retiring.ts";
import { fenceOf, isOurs, localName, routeWeights } from "./virtual-service.ts";

test("retiring takes away only destinations without requests, and nobody else's share changes", () => {
  fc.assert(
    fc.property(
      anyRawVirtualService,
      fc.constantFrom(...versions),
      fc.integer({ min: 1, max: 5 }),
      (raw, version, epoch) => {
        const vs = parsed(raw);
        const decision = decideRetire(vs, version, epoch);
        if (decision.kind !== "write") return;
        const after = parsed(applyPatch(raw, decision.patch));
        expect(fenceOf(after)?.gate).toBe(fenceOf(vs)?.gate ?? "shut");
        for (const [index, route] of (vs.spec.http ?? []).entries()) {
          const left = after.spec.http?.[index] ?? {};
          const { [version]: gone, ...others } = routeWeights(route, "prod");
          expect(gone ?? 0).toBe(0);
          if (Object.values(others).some((share) => share > 0)) expect(routeWeights(left, "prod")).toEqual(others);
          expect(isOurs(route) || (left.route ?? []).length === (route.route ?? []).length).toBe(true);
        }
      },
    ),
    { numRuns: 3_000 },
  );
});

test("a version that any route still names with a share, or that others name at all, is in use", () => {
  fc.assert(
    fc.property(anyRawVirtualService, fc.constantFrom(...versions), (raw, version) => {
      const vs = parsed(raw);
      if (["stale", "paused", "in_use"].includes(decideRetire(vs, version, 9).kind)) return;
      for (const route of vs.spec.http ?? []) {
        const named = (route.route ?? []).some(({ destination }) => localName(destination.host, "prod") === version);
        expect(isOurs(route) ? (routeWeights(route, "prod")[version] ?? 0) : Number(named)).toBe(0);
      }
    }),
    { numRuns: 2_000 },
  );
});
