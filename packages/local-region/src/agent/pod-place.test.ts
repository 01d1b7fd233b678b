import { expect, test } from "vitest";
import { placeOf } from "./pod-place.ts";
import { readPod } from "./pod-spec.ts";

const pod = (container: object = {}) =>
  readPod({
    metadata: { name: "a", namespace: "prod", uid: "u" },
    spec: { containers: [{ name: "app", image: "i", ...container }] },
  });
const named = pod({ ports: [{ name: "http", containerPort: 9_090 }] });

test("in the host's network a pod has a port of the loopback", () => {
  expect(placeOf({ kind: "host" }, named, 20_417)).toEqual({ host: "127.0.0.1", port: 20_417 });
});

test.each([
  [20_000, "10.77.0.1"],
  [20_254, "10.77.0.255"],
  [20_255, "10.77.1.0"],
  [29_999, "10.77.39.16"],
])("with addresses, the pod with slot %i listens on %s at the port that its container names", (slot, host) => {
  const network = { kind: "addresses", prefix: "10.77" } as const;

  expect(placeOf(network, named, slot)).toEqual({ host, port: 9_090 });
  expect(placeOf(network, pod(), slot)).toEqual({ host, port: 8_080 });
});
