import type { CloudEvent } from "@slipway/contracts";
import { addMs, systemClock } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { expect, test } from "vitest";
import { subscriptions } from "../src/subscriptions.ts";
import { id, sampleSpec } from "./support/sample.ts";
import { arm, move, phase, placeOfEachTest } from "./support/watching.ts";

const { place, start, stopLast } = placeOfEachTest();

test("a verified version is watched on: a FAIL is told, and nothing is shut, since the version before it is gone", async () => {
  const controller = await start();
  await arm(controller, sampleSpec({ mode: "live", step: 2, weight_percent: 100 }));
  const until24h = addMs(systemClock.now(), 24 * 3_600_000);
  await move(controller, sampleSpec({ mode: "verified", step: 2, weight_percent: 100, until: until24h }));
  const [subscription] = subscriptions(controller.service);
  await subscription?.handler(deploymentEvent("verified"), { signal: new AbortController().signal });
  expect(controller.watchers.get(id)?.state).toBe("watching");

  for (const name of ["a", "b"]) place().region(name).errorsPerRead = 8;

  await until(async () => (await phase(controller)) === "failed", { what: "a stored FAIL" });
  for (const name of ["a", "b"]) expect(place().region(name)).toMatchObject({ lowered: 0, fence: { gate: "open" } });
});

test("the watch of a verified version ends at its time, also when the controller was restarted in between", async () => {
  const controller = await start();
  await arm(controller, sampleSpec({ mode: "live", step: 2, weight_percent: 100 }));
  const soon = addMs(systemClock.now(), 1_500);
  const spec = sampleSpec({ mode: "verified", step: 2, weight_percent: 100, until: soon });
  await move(controller, spec);
  await stopLast();

  const next = await start();

  await until(async () => (await phase(next)) === "ended", { what: "the end of the watch" });
  expect(next.watchers.get(id)).toBeUndefined();
});

function deploymentEvent(type: "verified"): CloudEvent {
  const { service, environment, version } = sampleSpec();
  const commit = { digest: `sha256:${"1".repeat(64)}`, git_sha: "1".repeat(40) };
  return {
    ...{
      specversion: "1.0",
      id: `e-${type}`,
      source: "deployment-orchestrator",
      type: `deployment.${type}`,
      subject: id,
    },
    ...{ time: systemClock.now(), datacontenttype: "application/json" },
    data: { deployment_id: id, service, environment, version, ...commit, regions: ["a", "b"] },
  };
}
