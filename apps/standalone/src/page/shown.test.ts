import type { BuildView, DeploymentView } from "@slipway/contracts";
import { expect, test } from "vitest";
import { buildOf, shownOf } from "./shown.ts";

const now = Date.parse("2026-11-30T12:00:00Z");
const deployment = (id: string, more: Partial<Record<keyof DeploymentView, unknown>>) =>
  ({
    deployment_id: id,
    service: "orders",
    git_sha: "a1",
    updated_at: new Date(now).toISOString(),
    ...more,
  }) as unknown as DeploymentView;
const build = (id: string, more: Partial<Record<keyof BuildView, unknown>>) =>
  ({ build_id: id, service: "orders", git_sha: "a1", status: "SUCCEEDED", ...more }) as unknown as BuildView;

const dev = deployment("D-9", { environment: "dev", status: "IN_PROGRESS", service: "shop" });
const canary = deployment("D-8", { environment: "prod", status: "CANARY_MONITORING" });
const caught = deployment("D-8", { environment: "prod", status: "ROLLED_BACK" });
const ended = deployment("D-7", { environment: "prod", status: "SUCCEEDED" });

test("a canary in prod is shown although others deploy to dev meanwhile", () => {
  expect(shownOf([dev, canary, ended], now)).toBe(canary);
});

test("how it ended is shown for a minute before what others deploy to dev, and never the end of one before it", () => {
  expect(shownOf([dev, caught, ended], now + 59_000)).toBe(caught);
  expect(shownOf([dev, caught, ended], now + 61_000)).toBe(dev);
  expect(shownOf([caught, ended], now)).toBe(caught);
});

test("with nothing under way it is the newest, and without any none", () => {
  expect(shownOf([ended, caught], now + 61_000)).toBe(ended);
  expect(shownOf([], now)).toBeUndefined();
});

test("the build is one that runs, of what is shown first; else that of what is shown", () => {
  const [elsewhere, own] = [build("B-9", { service: "shop" }), build("B-8", {})];
  const running = build("B-10", { service: "shop", status: "RUNNING" });

  expect(buildOf([elsewhere, own], canary)).toBe(own);
  expect(buildOf([running, elsewhere, own], canary)).toBe(running);
  expect(buildOf([running, build("B-7", { status: "QUEUED" })], canary)?.build_id).toBe("B-7");
  expect(buildOf([elsewhere], canary)).toBe(elsewhere);
  expect(buildOf([], canary)).toBeNull();
});
