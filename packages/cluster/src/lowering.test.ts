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
import type { PatchOperation } from "./json-patch.ts";
import { decideLower, isExposed } from "./lowering.ts";
import type { LowerRequest } from "./port.ts";
import { fenceOf, isOurs, mainRoute, routeWeights, type VirtualService, weightsOf } from "./virtual-service.ts";

const [a, b] = ["orders-aaaaaaa-22222", "orders-bbbbbbb-33333"] as unknown as [
  NonNullable<LowerRequest["baseline"]>,
  LowerRequest["canary"],
];

function applied(raw: RawVirtualService, request: LowerRequest): VirtualService | null {
  const decision = decideLower(parsed(raw), service, request);
  return decision.kind === "write" ? parsed(applyPatch(raw, decision.patch)) : null;
}

function tlsOf({ spec }: VirtualService): unknown {
  const { tls } = spec;
  return tls;
}

function foreign(vs: VirtualService): unknown[] {
  return (vs.spec.http ?? []).filter((route) => !isOurs(route));
}

test("after any lowering no route of ours gives the canary a request or a copy of one", () => {
  fc.assert(
    fc.property(anyRawVirtualService, anyLower, (raw, request) => {
      const after = applied(raw, request);
      if (after !== null) expect(isExposed(after, request.canary)).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test("a lowering shuts the gate for its epoch with the next seq, or finds it shut, or is too old", () => {
  fc.assert(
    fc.property(anyRawVirtualService, anyLower, (raw, request) => {
      const before = fenceOf(parsed(raw));
      const decision = decideLower(parsed(raw), service, request);
      if (decision.kind === "stale") expect(before?.epoch).toBeGreaterThan(request.epoch);
      else if (decision.kind === "already") expect(before).toMatchObject({ epoch: request.epoch, gate: "shut" });
      else {
        const { epoch, deployment: holder } = request;
        const after = fenceOf(parsed(applyPatch(raw, decision.patch)));
        expect(after).toEqual({ epoch, seq: (before?.seq ?? 0) + 1, gate: "shut", holder });
      }
    }),
    { numRuns: 2_000 },
  );
});

test("routes, fields and annotations of other people survive a lowering", () => {
  fc.assert(
    fc.property(anyRawVirtualService, anyLower, (raw, request) => {
      const after = applied(raw, request);
      if (after === null) return;
      const before = parsed(raw);
      expect(foreign(after)).toEqual(foreign(before));
      expect(tlsOf(after)).toEqual(tlsOf(before));
      expect(after.metadata.annotations?.["example.com/owner"]).toBe(
        before.metadata.annotations?.["example.com/owner"],
      );
      for (const [index, route] of (before.spec.http ?? []).entries()) {
        const { route: _1, mirrorPercentage: _2, mirrors: _3, ...kept } = route;
        expect(after.spec.http?.[index]).toMatchObject(kept);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("a lowering that arrives twice takes hold once", () => {
  fc.assert(
    fc.property(anyRawVirtualService, anyLower, (raw, request) => {
      const decision = decideLower(parsed(raw), service, request);
      if (decision.kind !== "write") return;
      const after = structuredClone(applyPatch(raw, decision.patch));
      // As the API server numbers what was written.
      after.metadata.resourceVersion = `${raw.metadata.resourceVersion}-next`;
      expect(tryPatch(after, decision.patch)).toBeNull();
      expect(decideLower(parsed(after), service, request)).toEqual({ kind: "already", seq: decision.fence.seq });
    }),
    { numRuns: 2_000 },
  );
});

test("a lowering that was built over one object can only fail or lower on any other", () => {
  fc.assert(
    fc.property(anyRawVirtualService, anyRawVirtualService, anyLower, fc.boolean(), (raw, other, request, kin) => {
      const decision = decideLower(parsed(raw), service, request);
      if (decision.kind !== "write") return;
      // Kin: the same object after others have written its weights, as a racing writer leaves it.
      const target = kin ? reweighted(raw, other) : other;
      const after = tryPatch(target, decision.patch);
      if (after === null) return;
      const before = sharesOf(parsed(target), request.canary);
      for (const [index, share] of sharesOf(after, request.canary).entries()) {
        expect(share).toBeLessThanOrEqual(before[index] ?? 0);
      }
      const main = mainRoute(after);
      if (main !== null && decision.patch.some(({ path }) => path === `/spec/http/${main.index}/route/0/weight`)) {
        expect(weightsOf(after)[request.canary] ?? 0).toBe(0);
      }
    }),
    { numRuns: 5_000 },
  );
});

function tryPatch(raw: RawVirtualService, patch: readonly PatchOperation[]): VirtualService | null {
  try {
    return parsed(applyPatch(raw, patch));
  } catch {
    return null;
  }
}

/** What each route of ours gives the canary; 0 for the routes of others. */
function sharesOf(vs: VirtualService, canary: string): number[] {
  return (vs.spec.http ?? []).map((route) => (isOurs(route) ? (routeWeights(route, "prod")[canary] ?? 0) : 0));
}

function reweighted(raw: RawVirtualService, other: RawVirtualService): RawVirtualService {
  const copy = structuredClone(raw);
  const weights = (other.spec.http ?? []).flatMap((route) => (route.route ?? []).map(({ weight }) => weight ?? 0));
  let next = 0;
  for (const route of copy.spec.http ?? []) {
    for (const entry of route.route ?? []) {
      entry.weight = weights[next] ?? 7;
      next += 1;
    }
  }
  copy.metadata.resourceVersion = "1000";
  return copy;
}

test("the patch tests the fence and who stands where, and never the resourceVersion", () => {
  const raw = object({ fence: "3/7/open/D-1", weights: { [a]: 95, [b]: 5 } });

  const decision = decideLower(parsed(raw), service, request({ epoch: 3 }));

  expect(decision.kind === "write" && decision.patch.filter(({ op }) => op === "test")).toEqual([
    { op: "test", path: "/metadata/annotations/slipway.dev~1fence", value: "3/7/open/D-1" },
    { op: "test", path: "/spec/http/0/name", value: "slipway" },
    { op: "test", path: "/spec/http/0/route/0/destination", value: { host: a } },
    { op: "test", path: "/spec/http/0/route/1/destination", value: { host: b } },
  ]);
});

test("a hand that already moved the traffic elsewhere is not overruled", () => {
  const raw = object({ fence: "3/7/open/D-1", weights: { [a]: 0, [b]: 0, "orders-ccccccc-44444": 100 } });
  raw.metadata.annotations["slipway.dev/weights"] = `${a}=95,${b}=5`;

  const decision = decideLower(parsed(raw), service, request({ epoch: 3 }));

  const after = parsed(applyPatch(raw, decision.kind === "write" ? decision.patch : []));
  expect(weightsOf(after)).toEqual({ [a]: 0, [b]: 0, "orders-ccccccc-44444": 100 });
  expect(fenceOf(after)?.gate).toBe("shut");
});

test("a second lowering of the same epoch writes only when the canary has requests again", () => {
  const shut = object({ fence: "3/8/shut/D-1", weights: { [a]: 100, [b]: 0 } });
  const raisedByHand = object({ fence: "3/8/shut/D-1", weights: { [a]: 50, [b]: 50 } });

  expect(decideLower(parsed(shut), service, request({ epoch: 3 }))).toEqual({ kind: "already", seq: 8 });
  expect(decideLower(parsed(raisedByHand), service, request({ epoch: 3 })).kind).toBe("write");
  expect(decideLower(parsed(shut), service, request({ epoch: 2 })).kind).toBe("stale");
});

test("a canary that is the only destination has all requests, whatever its weight says", () => {
  const raw = object({ fence: "3/8/shut/D-1", weights: { [b]: 0 } });

  const decision = decideLower(parsed(raw), service, request({ epoch: 3 }));

  const after = parsed(applyPatch(raw, decision.kind === "write" ? decision.patch : []));
  expect(weightsOf(after)).toEqual({ [a]: 100, [b]: 0 });
});

test("without a baseline the traffic goes to the base Service", () => {
  const raw = object({ fence: "1/2/open/D-1", weights: { orders: 0, [b]: 100 } });

  const decision = decideLower(parsed(raw), service, request({ epoch: 1, baseline: null }));

  const after = parsed(applyPatch(raw, decision.kind === "write" ? decision.patch : []));
  expect(weightsOf(after)).toEqual({ orders: 100, [b]: 0 });
  expect(mainRoute(after)?.index).toBe(0);
});

function request(some: { epoch: number; baseline?: null }): LowerRequest {
  return { deployment: "D-1", baseline: a, canary: b, ...some } as LowerRequest;
}

function object({ fence, weights }: { fence: string; weights: Record<string, number> }) {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: {
      name: service,
      namespace: "prod",
      uid: "u",
      resourceVersion: "5",
      annotations: { "slipway.dev/fence": fence } as Record<string, string>,
    },
    spec: {
      hosts: [service],
      http: [
        {
          name: "slipway",
          route: Object.entries(weights).map(([host, weight]) => ({ destination: { host }, weight })),
        },
      ],
    },
  };
}
