import { describe, expect, inject, test } from "vitest";
import { exposureIsConsistent } from "../../src/story/report.ts";
import { RunJson, regions } from "../support/run-json.ts";

const story = inject("story");
const report = () => RunJson.parse(story.report);

describe("the story told once", () => {
  test("ends with exit code 0 within five minutes", () => {
    expect(story.exitCode, story.output).toBe(0);
    expect(story.seconds).toBeLessThan(300);
  });

  test("leaves no process behind: none of the platform, no pod, no Postgres", () => {
    expect(story.left).toEqual([]);
    const seen = story.during.processes.map(({ command }) => command).join("\n");
    // The same look found all of them while it ran: the check above can fail.
    for (const kind of ["role region", "role mesh", "role rollback-controller", "role load", "dist/server", "postgres"])
      expect(seen).toContain(kind);
  });

  test("prints what held, and nothing that did not", () => {
    expect(story.output).toContain("held    the notification went out");
    expect(story.output).not.toContain("FAILED");
  });

  test("writes a report in which every field is there and nothing else", () => {
    expect(report().story).toBe(1);
  });
});

describe("the good change", () => {
  test("climbed 5, 25, 50, 100 in every region and failed no request", () => {
    const { good } = report();
    expect(good.status).toBe("SUCCEEDED");
    expect(good.failed_requests).toBe(0);
    for (const region of regions) expect(good.weights_seen[region]).toEqual([5, 25, 50, 100]);
  });

  test("passed each gate on at least 459 canary requests without a failed one", () => {
    const gates = report().good.evidence;
    expect(gates.map((gate) => gate.weight_percent)).toEqual([5, 25, 50]);
    for (const gate of gates) {
      expect(gate.verdict).toBe("PASS");
      expect(gate.canary_requests).toBeGreaterThanOrEqual(459);
      expect(gate.canary_errors).toBe(0);
    }
  });

  test("had its 5% of 2,000 requests through a mesh address, and the live version had the rest", () => {
    const { split, servedBefore, canary } = story.during;
    for (const region of regions) expect(servedBefore[region]).toBe(5);
    const versions = Object.keys(split);
    expect(versions).toHaveLength(2);
    expect(versions.every((name) => /^orders-[0-9a-f]{7}-[a-z2-7]{5}$/.test(name))).toBe(true);
    const requests = Object.values(split).reduce((sum, own) => sum + own, 0);
    // 2,000, or as many as the step lasted for.
    expect(requests).toBeGreaterThanOrEqual(400);
    expect(exposureIsConsistent(split[canary] ?? 0, requests, 5), JSON.stringify(split)).toBe(true);
  });
});

describe("the bad change", () => {
  test("was taken back everywhere by itself", () => {
    const { bad } = report();
    expect(bad.status).toBe("ROLLED_BACK");
    expect(bad.evidence.at(-1)?.verdict).toBe("FAIL");
    for (const region of regions) expect(bad.weights_seen[region]).toEqual([5, 0]);
    for (const at of Object.values(bad.traffic_back_at))
      expect(Date.parse(at)).toBeGreaterThanOrEqual(Date.parse(bad.first_bad_request_at) - 5_000);
  });

  test("was served by no proxy above 5%, and had its share of the requests", () => {
    const { bad } = report();
    expect(bad.max_weight_percent).toBe(5);
    for (const { requests, to_bad_version } of Object.values(bad.exposure)) {
      expect(to_bad_version).toBeGreaterThan(0);
      expect(exposureIsConsistent(to_bad_version, requests, 5), `${to_bad_version} of ${requests}`).toBe(true);
    }
    const reached = Object.values(bad.exposure).reduce((sum, own) => sum + own.to_bad_version, 0);
    expect(bad.requests_to_bad_version).toBe(reached);
    expect(bad.failed_requests).toBeGreaterThan(0);
    expect(bad.failed_requests).toBeLessThanOrEqual(reached);
  });
});

describe("the bus", () => {
  const typesOf = (topic: string, subject: string) =>
    (story.events[topic] ?? []).filter((event) => event.subject === subject).map((event) => event.type);

  test("tells of the good deployment from acceptance to success, in order", () => {
    const types = typesOf("slipway.deployment.v1", report().good.deployment_id);
    const order = ["accepted", "granted", "step_started", "succeeded"].map((name) =>
      types.indexOf(`deployment.${name}`),
    );
    expect(types.filter((type) => type === "deployment.accepted")).toHaveLength(1);
    expect(
      order.every((at, i) => at > (order[i - 1] ?? -1)),
      types.join(" "),
    ).toBe(true);
  });

  test("tells of the bad deployment's verdict and return", () => {
    const { deployment_id } = report().bad;
    const types = typesOf("slipway.deployment.v1", deployment_id);
    expect(types.indexOf("deployment.restoring")).toBeGreaterThan(0);
    expect(types.indexOf("deployment.rolled_back")).toBeGreaterThan(types.indexOf("deployment.restoring"));
    const watch = typesOf("slipway.watch.v1", deployment_id);
    expect(watch).toContain("watch.failed");
    expect(watch.filter((type) => type === "watch.shut_confirmed")).toHaveLength(regions.length);
  });

  test("tells of three builds and of each promotion", () => {
    const ended = (story.events["slipway.build.v1"] ?? []).filter((event) => event.type === "build.succeeded");
    expect(ended).toHaveLength(3);
    const promoted = (story.events["slipway.artifact.v1"] ?? []).filter((event) => event.type === "artifact.promoted");
    expect(promoted).toHaveLength(6);
  });
});
