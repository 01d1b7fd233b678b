import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseBackend, type RequestFacts } from "./choose.ts";
import { readReadyPod, readVirtualService } from "./objects.ts";
import { buildRoutes, hostKey, servedWeights } from "./routes.ts";

const labels = (version: string) => ({ app: "orders", "slipway.dev/version": version });
const pod = (name: string, version: string) => ({
  namespace: "prod",
  name,
  labels: labels(version),
  host: "127.0.0.1",
  port: 1,
});
const services = [
  { namespace: "prod", name: "v1", selector: { "slipway.dev/version": "v1" } },
  { namespace: "prod", name: "v2", selector: { "slipway.dev/version": "v2" } },
  { namespace: "prod", name: "orders", selector: labels("v1") },
];
const pods = [pod("p1", "v1"), pod("p2", "v1"), pod("p3", "v2")];

function virtual(http: unknown, hosts = ["orders"]) {
  return readVirtualService({ metadata: { name: "orders", namespace: "prod" }, spec: { hosts, http } });
}
const split = (one: number, two: number) => [
  {
    route: [
      { destination: { host: "v1" }, weight: one },
      { destination: { host: "v2.prod.svc.cluster.local" }, weight: two },
    ],
  },
];
const request = (more: Partial<RequestFacts> = {}): RequestFacts => ({
  method: "GET",
  url: "/",
  headers: { host: "orders.prod" },
  ...more,
});

function versionFor(http: unknown, asked: RequestFacts, random = 0): string {
  const choice = chooseBackend(buildRoutes({ services, pods, virtualServices: [virtual(http)] }), asked, random);
  return choice.kind === "none" ? choice.why : choice.backend.version;
}

describe("routes", () => {
  it("send to the version that the base Service selects where there is no VirtualService", () => {
    const choice = chooseBackend(buildRoutes({ services, pods, virtualServices: [] }), request(), 0.9);

    expect(choice).toMatchObject({
      kind: "backend",
      backend: { version: "v1", endpoints: [{ pod: "p1" }, { pod: "p2" }] },
    });
  });

  it("give each version exactly its share of the random numbers, whatever the weights", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 99_999 }), (toTwo, draw) => {
        const random = draw / 100_000;

        expect(versionFor(split(100 - toTwo, toTwo), request(), random)).toBe(random * 100 < 100 - toTwo ? "v1" : "v2");
      }),
    );
  });

  it("never send to a weight of 0, at either edge", () => {
    expect(versionFor(split(0, 100), request(), 0)).toBe("v2");
    expect(versionFor(split(100, 0), request(), 0.999_999_999)).toBe("v1");
    expect(versionFor(split(0, 0), request(), 0)).toBe("no_route");
  });

  it("keep the share of a destination that does not exist, so that it fails visibly", () => {
    const http = [
      {
        route: [
          { destination: { host: "v9" }, weight: 100 },
          { destination: { host: "v1" }, weight: 0 },
        ],
      },
    ];
    const choice = chooseBackend(buildRoutes({ services, pods, virtualServices: [virtual(http)] }), request(), 0);

    expect(choice).toMatchObject({ kind: "backend", backend: { version: "v9", endpoints: [] } });
  });

  it.each([
    [{ uri: { exact: "/a" } }, { url: "/a?x=1" }, true],
    [{ uri: { exact: "/a" } }, { url: "/a/b" }, false],
    [{ uri: { regex: "/a/[0-9]+" } }, { url: "/a/12" }, true],
    [{ uri: { regex: "/a/[0-9]+" } }, { url: "/a/12/b" }, false],
    [{ uri: { regex: "(" } }, { url: "(" }, false],
    [{ method: { exact: "POST" } }, { method: "POST" }, true],
    [{ headers: { "X-A": { prefix: "b" } } }, { headers: { host: "orders.prod", "x-a": "bc" } }, true],
    [
      { headers: { "x-a": { exact: "1" } }, uri: { prefix: "/z" } },
      { headers: { host: "orders.prod", "x-a": "1" } },
      false,
    ],
    [{ withoutHeaders: { "x-a": { exact: "1" } } }, {}, true],
    [{ withoutHeaders: { "x-a": { exact: "1" } } }, { headers: { host: "orders.prod", "x-a": "1" } }, false],
    [{ queryParams: { v: { exact: "2" } } }, { url: "/?v=2" }, true],
    [{ sourceLabels: { a: "b" } }, {}, false],
    [{ headers: { "x-a": { present: true } } }, { headers: { host: "orders.prod", "x-a": "1" } }, false],
  ])("with the match %j take %j: %s", (match, asked, taken) => {
    const http = [{ match: [match], route: [{ destination: { host: "v2" } }] }, ...split(100, 0)];

    expect(versionFor(http, request(asked as Partial<RequestFacts>))).toBe(taken ? "v2" : "v1");
  });

  it.each([
    ["orders.prod", "orders.prod"],
    ["Orders.Prod.localhost:8801", "orders.prod"],
    ["orders.prod:80", "orders.prod"],
    ["orders", undefined],
    [undefined, undefined],
  ])("read the Host %j as %j", (host, key) => expect(hostKey(host)).toBe(key));
});

describe("pods that may get requests", () => {
  const object = (metadata: object, conditions: object[], podIP?: string) => ({
    metadata: { name: "p", namespace: "prod", labels: {}, ...metadata },
    spec: { containers: [{ ports: [{ containerPort: 8_080 }] }] },
    status: { podIP, conditions },
  });
  const ready = [{ type: "Ready", status: "True" }];

  it("are ready, not on their way out, and have an address", () => {
    expect(readReadyPod(object({}, ready, "10.0.0.1"))).toMatchObject({ host: "10.0.0.1", port: 8_080 });
    expect(readReadyPod(object({ annotations: { "slipway.dev/port": "20001" } }, ready, "127.0.0.1"))?.port).toBe(
      20_001,
    );
    expect(readReadyPod(object({ deletionTimestamp: "2026-01-01T00:00:00Z" }, ready, "10.0.0.1"))).toBeUndefined();
    expect(readReadyPod(object({}, [{ type: "Ready", status: "False" }], "10.0.0.1"))).toBeUndefined();
    expect(readReadyPod(object({}, ready))).toBeUndefined();
  });
});

describe("served weights", () => {
  it("are percents of the route that takes every request", () => {
    const canary = { match: [{ uri: { prefix: "/beta" } }], route: [{ destination: { host: "v2" } }] };
    const routes = buildRoutes({ services, pods, virtualServices: [virtual([canary, ...split(95, 5)])] });
    const served = routes.get("orders.prod");

    expect(served && [...servedWeights(served)]).toEqual([
      ["v1", 95],
      ["v2", 5],
    ]);
  });
});
