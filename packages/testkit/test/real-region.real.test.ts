import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { KubeRefusal, realPart, startRegion } from "../src/index.ts";
import { listens } from "./listens.ts";

const [etcd, kubernetes] = [realPart("etcd"), realPart("kubernetes")];
const parts = etcd && kubernetes ? { etcd, kubernetes } : undefined;

describe.skipIf(parts === undefined)("a real region", () => {
  test("stands beside another, knows its accounts, comes again after a kill, and leaves nothing behind", async () => {
    const [one, other] = await Promise.all([startRegion(parts!), startRegion(parts!)]);
    const folder = dirname(one.kubeconfig);
    expect(existsSync(folder)).toBe(true);
    try {
      await one.kubectl(["create", "namespace", "shop"]);
      await expect(other.api("GET", "/api/v1/namespaces/shop")).rejects.toThrow(KubeRefusal);
      const token = await one.tokenOf({ namespace: "default", name: "default" }, 600);
      await expect(one.callAs(token)("GET", "/api/v1/secrets")).rejects.toMatchObject({ status: 403 });
      await expect(one.callAs("no-token")("GET", "/api")).rejects.toMatchObject({ status: 401 });

      await one.kill();
      expect(await listens(one.port)).toBe(false);
      await one.start();

      expect(await one.api("GET", "/api/v1/namespaces/shop")).toMatchObject({ status: { phase: "Active" } });
    } finally {
      await Promise.all([one.stop(), other.stop()]);
    }
    expect(await listens(one.port)).toBe(false);
    expect(existsSync(folder)).toBe(false);
  });
});
