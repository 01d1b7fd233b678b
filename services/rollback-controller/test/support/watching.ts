import type { WatchRequest } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach } from "vitest";
import { armed, type WatchInput } from "../../src/domain/watch.ts";
import { routes } from "../../src/http.ts";
import { openPlace, type Place, type Real, startController } from "./controller.ts";
import { id, sampleSpec } from "./sample.ts";

export type Controller = Awaited<ReturnType<typeof startController>>;

/** A place of its own for each test of the file, with controllers that are stopped after it. */
export function placeOfEachTest() {
  let place: Place;
  const running: Controller[] = [];
  beforeEach(async () => {
    place = await openPlace();
  });
  afterEach(async () => {
    for (const controller of running.splice(0)) await controller.stop();
    await place.close();
  });
  return {
    place: () => place,
    async start(away = { now: false }, real: Real = {}): Promise<Controller> {
      const controller = await startController(place, away, real);
      running.push(controller);
      return controller;
    },
    async stopLast(): Promise<void> {
      await running.pop()?.stop();
    },
    goBad(): void {
      for (const name of ["a", "b"]) place.region(name).errorsPerRead = 6;
    },
    shutIn: (name: string) => place.region(name).fence.gate === "shut",
  };
}

export async function arm(controller: Controller, spec = sampleSpec()): Promise<void> {
  const first = armed(id, spec);
  await controller.durable.create(undefined, controller.machine, id, first.state, first.commands);
  await controller.keeper.take(id);
  await controller.watchers.arm(id, spec);
}

/** As a PUT does it: the row first. */
export async function move(controller: Controller, spec: WatchRequest): Promise<void> {
  await controller.durable.send(controller.machine, id, (): WatchInput => ({ type: "Arm", spec }));
  await controller.keeper.take(id);
  await controller.watchers.arm(id, spec);
}

export const phase = async ({ durable, machine }: Controller) => (await durable.read(machine, id))?.state.phase;

/** Until a PASS is stored, and the journal is empty again. */
export async function untilPassed({ watchers, queue }: Controller): Promise<void> {
  await until(() => watchers.get(id)?.judgement?.verdict === "PASS", { what: "a PASS" });
  await until(() => queue.waiting.length === 0, { what: "stored news" });
  await queue.flush();
  await queue.onDisk(async () => undefined);
}

/** A route of the controller, called as a deployer does. */
export async function handlerOf({ service }: Controller, wanted: object) {
  const handlers = new Map<object, (call: object) => Promise<unknown>>();
  const serve = (endpoint: object, handler: (call: object) => Promise<unknown>) => void handlers.set(endpoint, handler);
  routes({ serve } as unknown as ServiceApp, service);
  const call = { params: { id }, now: new Date().toISOString(), principal: { name: "ada", roles: ["deployer"] } };
  return (body: object) => handlers.get(wanted)?.({ ...call, body });
}
