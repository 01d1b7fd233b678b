import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { eventsOf } from "./events.ts";
import type { RealBackends } from "./real-backends.ts";

const topics = ["build", "artifact", "deployment", "watch"].map((name) => `slipway.${name}.v1`);

/** The deployments of a story whose good change went to its end, and whose bad one was taken back. */
export type Told = { readonly dataDir: string; readonly good: string; readonly bad: string };

/** All of a story's events are in Kafka, each deployment's in order, and none is in Postgres. */
export async function expectEventsInKafka(backends: RealBackends, { dataDir, good, bad }: Told): Promise<void> {
  const events = await backends.events(topics);
  const of = (name: string) => events[`slipway.${name}.v1`] ?? [];
  for (const [id, names] of [
    [good, ["accepted", "granted", "opened", "step_started", "succeeded"]],
    // One that is bad at once is taken back before its first step is known to be served.
    [bad, ["accepted", "granted", "opened", "restoring", "rolled_back"]],
  ] as const) {
    const told = [
      ...new Set(
        of("deployment")
          .filter(({ subject }) => subject === id)
          .map(({ type }) => type),
      ),
    ];
    const at = names.map((name) => told.indexOf(`deployment.${name}`));
    expect(at, told.join(" ")).toEqual([...at].sort((a, b) => a - b));
    expect(at[0], told.join(" ")).toBe(0);
  }
  const built = of("build").filter(({ type }) => type === "build.succeeded");
  expect(new Set(built.map(({ id }) => id)).size).toBe(3);
  expect(of("watch").some(({ type }) => type === "watch.failed")).toBe(true);
  expect(Object.values(await eventsOf(dataDir, topics)).flat()).toEqual([]);
}

/** Blobs of images are in S3, and none is on the platform's disk. */
export function expectImagesInS3(backends: RealBackends, dataDir: string): void {
  expect(backends.objects().filter((path) => /[0-9a-f]{64}/.test(path)).length).toBeGreaterThan(5);
  const onDisk = join(dataDir, "objects");
  expect(existsSync(onDisk) ? readdirSync(onDisk) : []).toEqual([]);
}
