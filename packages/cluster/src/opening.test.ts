import type { Epoch } from "@slipway/kernel";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyLower, anyRawVirtualService, parsed, service } from "../test/support/any-virtual-service.ts";
import { applyPatch } from "../test/support/json-patch.ts";
import { decideOpen, newVirtualService } from "./opening.ts";
import type { OpenFenceRequest, Target } from "./port.ts";
import { fenceOf, sameWeights, weightsOf } from "./virtual-service.ts";

const baseline = "orders-aaaaaaa-22222" as NonNullable<OpenFenceRequest["baseline"]>;

test("opening for a new grant follows only an older epoch, and moves no request to a version that the base Service does not select", () => {
  fc.assert(
    fc.property(anyRawVirtualService, anyLower, (raw, request) => {
      const vs = parsed(raw);
      const decision = decideOpen(vs, service, request, null);
      if (decision.kind !== "write") return;
      const after = parsed(applyPatch(raw, decision.patch));
      expect(fenceOf(vs)?.epoch ?? 0).toBeLessThan(request.epoch);
      expect(fenceOf(after)).toMatchObject({ epoch: request.epoch, gate: "open", holder: request.deployment });
      if (Object.keys(weightsOf(vs)).length > 0) expect(sameWeights(weightsOf(after), weightsOf(vs))).toBe(true);
      else expect(weightsOf(after)[service]).toBe(100);
    }),
    { numRuns: 2_000 },
  );
});

test("the live baseline has all traffic of our route once a new grant has opened the fence", () => {
  fc.assert(
    fc.property(anyRawVirtualService, anyLower, (raw, asked) => {
      const vs = parsed(raw);
      const { baseline: live } = asked;
      const decision = decideOpen(vs, service, asked, live);
      if (decision.kind !== "write" || live === null || Object.keys(weightsOf(vs)).length === 0) return;
      const { [live]: share, ...others } = weightsOf(parsed(applyPatch(raw, decision.patch)));
      expect(share).toBeCloseTo(100, 6);
      expect(Object.values(others).every((percent) => percent === 0)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("a lone destination keeps its traffic when a second one is put beside it", () => {
  const raw = object([{ name: "slipway", route: [{ destination: { host: service } }] }]);

  const decision = decideOpen(parsed(raw), service, request(), null);

  const after = parsed(applyPatch(raw, decision.kind === "write" ? decision.patch : []));
  expect(weightsOf(after)).toEqual({ [service]: 100, [baseline]: 0 });
});

test("a route that takes every request before ours is a reason to refuse", () => {
  const all = { name: "everything", route: [{ destination: { host: service } }] };
  const some = { ...all, match: [{ uri: { prefix: "/v0" } }] };

  expect(decideOpen(parsed(object([all])), service, request(), null)).toEqual({ kind: "hidden", route: "everything" });
  expect(decideOpen(parsed(object([some])), service, request(), null).kind).toBe("write");
});

test("a new VirtualService leaves all traffic with the base Service", () => {
  const fence = { epoch: 1, seq: 1, gate: "open" as const, holder: "D-1" };
  const target = { service, environment: "prod" } as unknown as Target;

  const vs = parsed(withServerFields(newVirtualService(target, fence, baseline)));

  expect(weightsOf(vs)).toEqual({ [service]: 100, [baseline]: 0 });
  expect(fenceOf(vs)).toEqual(fence);
});

function withServerFields(object: Record<string, unknown>) {
  const { metadata, ...rest } = object;
  return { ...rest, metadata: { ...(metadata as object), uid: "u", resourceVersion: "1" } };
}

function request(): OpenFenceRequest {
  return { epoch: 2 as Epoch, deployment: "D-2" as OpenFenceRequest["deployment"], baseline };
}

function object(http: object[]) {
  return { metadata: { name: service, namespace: "prod", uid: "u", resourceVersion: "1" }, spec: { http } };
}
