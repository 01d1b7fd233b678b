import type { Epoch } from "@slipway/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyRaise, anyRawVirtualService, parsed, service, versions } from "../test/support/any-virtual-service.ts";
import { applyPatch } from "../test/support/json-patch.ts";
import type { RaiseRequest } from "./port.ts";
import { checkRaise, decideRaise } from "./raising.ts";
import { fenceOf, isOurs, sameWeights, type VirtualService, weightsOf } from "./virtual-service.ts";

const [a, b] = ["orders-aaaaaaa-22222", "orders-bbbbbbb-33333"] as unknown as [
  NonNullable<RaiseRequest["baseline"]>,
  RaiseRequest["canary"],
];
const open = { epoch: 3, seq: 7 };
const unproven = { production: true, proven: false };

/** An object over which most requests of `anyRaise` with epoch 3 get through. */
const anyOpen = fc.tuple(anyRawVirtualService, fc.constantFrom("D-1", "D-2")).map(([raw, holder]) => ({
  ...raw,
  metadata: {
    ...raw.metadata,
    annotations: { ...raw.metadata.annotations, "slipway.dev/fence": `${open.epoch}/${open.seq}/open/${holder}` },
  },
}));

function others(vs: VirtualService): unknown[] {
  return (vs.spec.http ?? []).filter((route) => !isOurs(route) || route.name !== "slipway");
}

test("nothing but what is live grows above 5% of production without proof, whatever the object and the caller say", () => {
  const anyLive = fc.constantFrom(null, ...versions);
  fc.assert(
    fc.property(fc.oneof(anyOpen, anyRawVirtualService), anyRaise, anyLive, fc.boolean(), (raw, asked, live, fits) => {
      const request = { ...asked, ...(fits ? { epoch: open.epoch as Epoch } : {}), exposure: unproven };
      const decision = decideRaise(parsed(raw), service, request, live);
      if (decision.kind !== "write") return;
      const before = weightsOf(parsed(raw));
      for (const [name, share] of Object.entries(weightsOf(parsed(applyPatch(raw, decision.patch))))) {
        if (name === service || name === live) continue;
        expect(share).toBeLessThanOrEqual(Math.max(5, before[name] ?? 0) + 0.001);
      }
    }),
    { numRuns: 5_000 },
  );
});

test("naming an unproven version as the baseline does not give it more than 5% of production", () => {
  const swapped = { ...request(0), baseline: b, canary: "orders-ccccccc-44444" as typeof b, exposure: unproven };
  const found = parsed(object({ fence: "3/9/open/D-1" }));

  expect(decideRaise(found, service, swapped, a)).toEqual({ kind: "refuse", why: "unproven" });
  expect(decideRaise(found, service, swapped, b).kind).toBe("write");
});

test("a raise is written only under its own open epoch, and not while paused", () => {
  fc.assert(
    fc.property(fc.oneof(anyOpen, anyRawVirtualService), anyRaise, (raw, request) => {
      const vs = parsed(raw);
      if (decideRaise(vs, service, request, a).kind !== "write") return;
      expect(fenceOf(vs)).toMatchObject({ epoch: request.epoch, gate: "open", holder: request.deployment });
      expect(vs.metadata.annotations?.["slipway.dev/paused"]).toBeUndefined();
    }),
    { numRuns: 2_000 },
  );
});

test("a raise sets exactly the weights asked for, with the next seq, and touches no other route", () => {
  fc.assert(
    fc.property(anyOpen, anyRaise, (raw, asked) => {
      const request = { ...asked, epoch: open.epoch as Epoch };
      const decision = decideRaise(parsed(raw), service, request, a);
      if (decision.kind !== "write") return;
      const after = parsed(applyPatch(raw, decision.patch));
      expect(sameWeights(weightsOf(after), decision.weights)).toBe(true);
      expect(weightsOf(after)[request.canary] ?? 0).toBeCloseTo(request.percent, 6);
      expect(weightsOf(after)[request.baseline ?? service] ?? 0).toBeCloseTo(100 - request.percent, 6);
      expect(fenceOf(after)).toMatchObject({ epoch: open.epoch, seq: open.seq + 1, gate: "open" });
      expect(others(after)).toEqual(others(parsed(raw)));
    }),
    { numRuns: 2_000 },
  );
});

test("a raise falls when anything at all was written since it was read", () => {
  fc.assert(
    fc.property(anyOpen, anyRaise, (raw, asked) => {
      const decision = decideRaise(parsed(raw), service, { ...asked, epoch: open.epoch as Epoch }, a);
      if (decision.kind !== "write") return;
      const changed = { ...raw, metadata: { ...raw.metadata, resourceVersion: "100" } };
      expect(() => applyPatch(changed, decision.patch)).toThrow("test failed at /metadata/resourceVersion");
    }),
  );
});

describe("what is found decides why a raise is refused", () => {
  const table: [string, Parameters<typeof object>[0], Partial<RaiseRequest>, string][] = [
    ["a newer grant", { fence: "4/9/open/D-2" }, {}, "stale"],
    ["the same epoch in other hands", { fence: "3/9/open/D-2" }, {}, "stale"],
    ["a gate that was shut", { fence: "3/9/shut/D-1" }, {}, "shut"],
    ["a gate that was never opened for this epoch", { fence: "2/9/open/D-1" }, {}, "shut"],
    ["no fence", {}, {}, "shut"],
    ["an unreadable fence", { fence: "3/9/ajar/D-1" }, {}, "shut"],
    ["a pause", { fence: "3/9/open/D-1", paused: "maintenance" }, {}, "paused"],
    ["a canary that somebody lowered", { fence: "3/9/open/D-1", recorded: `${a}=75,${b}=25` }, {}, "drifted"],
    [
      "too much of production",
      { fence: "3/9/open/D-1" },
      { percent: 5.1, exposure: { production: true, proven: false } },
      "unproven",
    ],
  ];
  test.each(table)("%s", (_name, found, asked, why) => {
    const decision = decideRaise(parsed(object(found)), service, { ...request(25), ...asked }, a);

    expect(decision).toEqual({ kind: "refuse", why });
  });
});

test("a raise that already stands is not written again", () => {
  const decision = decideRaise(parsed(object({ fence: "3/9/open/D-1" })), service, request(5), a);

  expect(decision).toEqual({ kind: "already", seq: 9 });
});

test("only what grows has to be ready", () => {
  const decision = decideRaise(parsed(object({ fence: "3/9/open/D-1" })), service, request(25), a);

  expect(decision.kind === "write" && decision.rising).toEqual([b]);
});

test("tenths of a percent are weights of a thousand", () => {
  const raw = object({ fence: "3/9/open/D-1" });
  const decision = decideRaise(parsed(raw), service, request(0.5), a);

  const after = parsed(applyPatch(raw, decision.kind === "write" ? decision.patch : []));
  expect(after.spec.http?.[0]?.route?.map(({ weight }) => weight)).toEqual([995, 5]);
  expect(weightsOf(after)[b]).toBe(0.5);
});

test("a weight that no route can carry is a mistake of the caller", () => {
  for (const percent of [-1, 101, Number.NaN, 0.25])
    expect(() => checkRaise(service, request(percent))).toThrow(RangeError);
  expect(() => checkRaise(service, { ...request(5), baseline: b })).toThrow(RangeError);
});

function request(percent: number): RaiseRequest {
  const grant = { epoch: 3, deployment: "D-1" } as Pick<RaiseRequest, "epoch" | "deployment">;
  return { ...grant, baseline: a, canary: b, percent, exposure: { production: true, proven: true } };
}

function object(some: { fence?: string; paused?: string; recorded?: string }) {
  const annotations: Record<string, string> = {};
  if (some.fence !== undefined) annotations["slipway.dev/fence"] = some.fence;
  if (some.paused !== undefined) annotations["slipway.dev/paused"] = some.paused;
  if (some.recorded !== undefined) annotations["slipway.dev/weights"] = some.recorded;
  const route = [
    { destination: { host: a }, weight: 95 },
    { destination: { host: b }, weight: 5 },
  ];
  return {
    metadata: { name: service, namespace: "prod", uid: "u", resourceVersion: "5", annotations },
    spec: { hosts: [service], http: [{ name: "slipway", route }] },
  };
}
