import { putScene, scenesOf, until } from "@slipway/testkit";
import { afterEach, expect, test } from "vitest";
import type { Watch } from "../src/domain/watch.ts";
import { endWatch } from "../src/subscriptions.ts";
import { openPlace, type Place, startController } from "./support/controller.ts";
import { id } from "./support/sample.ts";

const scenes = await scenesOf(new URL("released", import.meta.url).pathname, "watch");
const phases = Object.keys({ watching: 0, failed: 0, ended: 0 } satisfies Record<Watch["phase"], 0>);

let place: Place;
let controller: Awaited<ReturnType<typeof startController>> | undefined;
afterEach(async () => {
  await controller?.stop();
  await place?.close();
});

test("a watch that an earlier version left is kept of every phase", () => {
  expect(phases.filter((phase) => !scenes.some((scene) => scene.phase === phase))).toEqual([]);
});

test.each(scenes.map((scene) => [scene.version, scene.phase, scene.commands.join(", ") || "nothing", scene] as const))(
  "%s, %s with %s to be done, is gone on with, takes back what turns bad, and ends",
  async (_version, phase, _commands, scene) => {
    place = await openPlace();
    await putScene(place.database.adminUrl, "rollback", scene);
    // As that version had left them.
    const [row] = scene.tables.machine as readonly { state: Watch }[];
    const shut = row?.state.phase === "failed" ? Object.keys(row.state.shut) : [];
    for (const name of shut) place.region(name).fence.gate = "shut";
    controller = await startController(place);
    const { watchers, durable, machine, service } = controller;
    const state = async () => (await durable.read(machine, id))?.state;

    if (phase !== "ended") {
      await until(() => watchers.get(id)?.lastLookAt, { what: "a look" });
      for (const name of ["a", "b"]) place.region(name).errorsPerRead = 6;
      await until(async () => (await state())?.phase === "failed", { what: "a stored FAIL" });
      if (["canary", "live"].includes((await state())?.spec.mode ?? ""))
        await until(() => ["a", "b"].every((name) => place.region(name).fence.gate === "shut"), {
          what: "both regions",
        });
      await endWatch(service, id, "rolled_back");
    }

    await durable.idle();
    expect(await state()).toMatchObject({ phase: "ended" });
    expect(await durable.pending(machine, id)).toEqual([]);
    expect(watchers.all()).toEqual([]);
  },
);
