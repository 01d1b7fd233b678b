import { listAuditOf, verifyAuditOf } from "@slipway/contracts";
import { expect, test } from "vitest";
import { ownerOf, platformServices } from "./owners.ts";
import { pathOf } from "./paths.ts";

test("parameters are escaped and undefined query values left out", () => {
  expect(pathOf("/a/:id/b/:name", { id: "D-1", name: "x/../y?z" }, { page_size: 5, q: "a b&c", none: undefined })).toBe(
    "/a/D-1/b/x%2F..%2Fy%3Fz?page_size=5&q=a+b%26c",
  );
});

test("a missing parameter is an error, not the word undefined in a path", () => {
  expect(() => pathOf("/a/:id", {}, undefined)).toThrow("no value for :id");
  expect(() => pathOf("/a/:id", { id: "" }, undefined)).toThrow("no value for :id");
});

test("each path belongs to one service", () => {
  expect(ownerOf("/api/v1/watches/D-1")).toBe("rollback-controller");
  expect(ownerOf("/api/v1/deployments")).toBe("deployment-orchestrator");
  expect(ownerOf("/api/v1/deploymentsx")).toBeUndefined();
  for (const service of platformServices) {
    expect(ownerOf(listAuditOf(service).path)).toBe(service);
    expect(ownerOf(verifyAuditOf(service).path)).toBe(service);
  }
  expect(ownerOf("/readyz")).toBeUndefined();
});
