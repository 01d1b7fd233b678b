import type { ServiceView } from "@slipway/contracts";
import { expect, test } from "vitest";
import { servesLines, servesOrNothing, servicesTable } from "./services-table.ts";

const serves = (deployment_id: string, version: string) => ({
  ...{ deployment_id, version, verified: true, digest: "", since: "2026-05-01T10:00:00.123Z" },
});

function service(name: string, live: object, under_way: readonly object[] = []): ServiceView {
  return { name, owner: "ada", deploys_to: null, live, under_way } as unknown as ServiceView;
}

test("each environment is a line: what serves, since when, by which deployment, and what is under way", () => {
  const shop = service("shop", { prod: { one: serves("D-3", "shop-a"), two: serves("D-3", "shop-a") } }, [
    { deployment_id: "D-4", environment: "prod", status: "HELD" },
    { deployment_id: "D-5", environment: "dev", status: "IN_PROGRESS" },
  ]);

  expect(servicesTable([shop, service("quiet", {})]).split("\n")).toEqual([
    "SERVICE  ENVIRONMENT  VERSION             SINCE                 BY   UNDER WAY",
    "shop     prod         shop-a              2026-05-01T10:00:00Z  D-3  D-4 HELD",
    "shop     dev          nothing serves yet  -                     -    D-5 IN_PROGRESS",
    "quiet    -            nothing serves      -                     -    -",
  ]);
});

test("versions that serve in different regions are told apart by these", () => {
  const shop = service("shop", { prod: { one: serves("D-3", "shop-a"), two: serves("D-2", "shop-b") } });

  expect(servicesTable([shop])).toMatch(/shop-a \(one\) .* D-3 [\s\S]*shop-b \(two\) .* D-2 /);
});

test("where there is no service it says how one comes to be", () => {
  expect(servicesTable([])).toContain("no service yet");
});

test("what serves of one service is told for each environment, or for the one that is asked for", () => {
  const live = { dev: { one: serves("D-5", "shop-b") }, prod: { one: serves("D-3", "shop-a") } };
  const { live: typed } = service("shop", live);

  expect(servesLines(typed)).toEqual([
    "  serves   in dev: shop-b since 2026-05-01T10:00:00Z (D-5, verified)",
    "  serves   in prod: shop-a since 2026-05-01T10:00:00Z (D-3, verified)",
  ]);
  expect(servesLines(typed, "prod")).toHaveLength(1);
});

test("once the newest deployment has ended and nothing serves, that is said", () => {
  const { live, name } = service("shop", {});

  expect(servesOrNothing({ service: name, status: "FAILED" }, live, "prod")).toEqual([
    "  serves   nothing: no version of shop serves in prod; slipway deploy shop VERSION deploys one",
  ]);
  expect(servesOrNothing({ service: name, status: "CANCELLED" }, live)[0]).toContain("serves anywhere");
  expect(servesOrNothing({ service: name, status: "CANARY_MONITORING" }, live)).toEqual([]);
});
