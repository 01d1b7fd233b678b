import fc from "fast-check";
import { expect, test } from "vitest";
import {
  anyLower,
  anyRawVirtualService,
  parsed,
  type RawVirtualService,
  service,
} from "../test/support/any-virtual-service.ts";
import { applyPatch } from "../test/support/json-patch.ts";
import type { RepairRequest } from "./port.ts";
import { decideRepair } from "./repairing.ts";
import { fenceOf, isOurs, mainRoute, type VirtualService, weightsOf } from "./virtual-service.ts";

const anyRepair: fc.Arbitrary<RepairRequest> = fc
  .tuple(anyLower, fc.constantFrom(0, 5, 25, 100))
  .map(([lower, percent]) => ({ ...lower, percent }));

const share = (vs: VirtualService, name: string) => weightsOf(vs)[name] ?? 0;

function repaired(raw: RawVirtualService, request: RepairRequest): VirtualService | null {
  const decision = decideRepair(parsed(raw), service, request);
  return decision.kind === "write" ? parsed(applyPatch(raw, decision.patch)) : null;
}

test("a repair takes the canary to what was approved, never above what it has, and keeps the gate and its grant", () => {
  fc.assert(
    fc.property(anyRawVirtualService, anyRepair, (raw, request) => {
      const before = parsed(raw);
      const after = repaired(raw, request);
      if (after === null) return;
      expect(share(after, request.canary)).toBeLessThanOrEqual(share(before, request.canary) + 0.2);
      expect(share(after, request.canary)).toBeLessThanOrEqual(Math.max(request.percent, 0) + 0.2);
      const fence = fenceOf(before);
      expect(fenceOf(after)).toEqual({ ...fence, seq: (fence?.seq ?? 0) + 1 });
      expect(fence).toMatchObject({ epoch: request.epoch, gate: "open" });
    }),
    { numRuns: 3_000 },
  );
});

test("a repair needs a fence of its own grant that is open, and leaves a newer grant alone", () => {
  fc.assert(
    fc.property(anyRawVirtualService, anyRepair, (raw, request) => {
      const found = fenceOf(parsed(raw));
      const { kind } = decideRepair(parsed(raw), service, request);
      if (found !== null && found.epoch > request.epoch) expect(kind).toBe("stale");
      else if (found === null || found.epoch < request.epoch || found.gate === "shut") expect(kind).toBe("refused");
    }),
    { numRuns: 1_000 },
  );
});

test("routes of other people survive a repair", () => {
  fc.assert(
    fc.property(anyRawVirtualService, anyRepair, (raw, request) => {
      const after = repaired(raw, request);
      if (after === null) return;
      const foreign = (vs: VirtualService) => (vs.spec.http ?? []).filter((route) => !isOurs(route));
      expect(foreign(after)).toEqual(foreign(parsed(raw)));
    }),
    { numRuns: 1_000 },
  );
});

test("a repair that was built over one object falls on one whose canary somebody has lowered since", () => {
  const [a, b] = ["orders-aaaaaaa-22222", "orders-bbbbbbb-33333"] as [never, never];
  const raw = (weight: number) => ({
    metadata: {
      ...{ name: service, namespace: "prod", uid: "u", resourceVersion: "1" },
      annotations: { "slipway.dev/fence": "2/4/open/D-2", "slipway.dev/paused": "maintenance" },
    },
    spec: {
      http: [
        {
          name: "slipway",
          route: [
            { destination: { host: a }, weight: 100 - weight },
            { destination: { host: b }, weight },
          ],
        },
      ],
    },
  });
  const request = { epoch: 2, deployment: "D-2", baseline: a, canary: b, percent: 5 } as unknown as RepairRequest;

  const decision = decideRepair(parsed(raw(40)), service, request);

  if (decision.kind !== "write") throw new Error(decision.kind);
  expect(() => applyPatch(raw(0), decision.patch)).toThrow();
  const after = parsed(applyPatch(raw(40), decision.patch));
  expect(weightsOf(after)).toEqual({ [a]: 95, [b]: 5 });
  expect(mainRoute(after)?.route.route?.map(({ weight }) => weight)).toEqual([95, 5]);
});
