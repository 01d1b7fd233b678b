import type { ServiceView } from "@slipway/contracts";
import { describe, expect, test } from "vitest";
import { chooseDeployment } from "./find-deployment.ts";

const moving = (deployment_id: string, environment: string, status: string) => ({ deployment_id, environment, status });
const serves = (deployment_id: string) => ({ deployment_id, version: `orders-${deployment_id}` });

function service(under_way: readonly object[], live: object = {}): ServiceView {
  return { name: "orders", owner: "ada", deploys_to: null, under_way, live } as unknown as ServiceView;
}

describe("a service named in place of its deployment", () => {
  test("stands for the one that is under way", () => {
    expect(chooseDeployment(service([moving("D-4", "prod", "HELD")]), undefined, false)).toBe("D-4");
  });

  test("is refused where nothing is under way, with where to look", () => {
    expect(() => chooseDeployment(service([]), undefined, false)).toThrow("orders: no deployment is under way.");
  });

  test("is refused where several are, which are named, unless an environment chooses", () => {
    const both = service([moving("D-4", "prod", "HELD"), moving("D-5", "dev", "IN_PROGRESS")]);

    expect(() => chooseDeployment(both, undefined, false)).toThrow(
      "2 deployments are under way of orders: D-4 (prod, HELD), D-5 (dev, IN_PROGRESS).",
    );
    expect(chooseDeployment(both, "dev", false)).toBe("D-5");
    expect(() => chooseDeployment(both, "staging", false)).toThrow("orders in staging: no deployment is under way.");
  });

  test("may be rolled back where nothing is under way and one version serves, in however many regions", () => {
    const live = { prod: { one: serves("D-3"), two: serves("D-3") } };

    expect(chooseDeployment(service([], live), undefined, true)).toBe("D-3");
    expect(chooseDeployment(service([moving("D-4", "prod", "HELD")], live), undefined, true)).toBe("D-4");
    expect(() => chooseDeployment(service([], live), undefined, false)).toThrow("no deployment is under way");
  });

  test("is refused for a rollback where versions serve in several environments, unless one is named", () => {
    const live = { prod: { one: serves("D-3") }, dev: { one: serves("D-2") } };

    expect(() => chooseDeployment(service([], live), undefined, true)).toThrow(
      "2 versions serve of orders: D-3 (prod, orders-D-3), D-2 (dev, orders-D-2).",
    );
    expect(chooseDeployment(service([], live), "prod", true)).toBe("D-3");
  });
});
