import type { Instant } from "@slipway/kernel";
import { expect, test } from "vitest";
import { sampleDeployment } from "../../test/support/sample.ts";
import type { Command } from "../domain/command.ts";
import type { Context, Ports } from "./ports.ts";
import { prepareWorkload } from "./workload.ts";

const value = "postgres://orders:hunter22@db";
const pods = [`orders-1: Error, no ${value}`, `orders-2: Error, no ${value}`];

/** Ports of a region whose two pods never get ready and print their secret, and of a clock that runs out. */
function unready(): Ports {
  let ms = 0;
  const cluster = {
    ensureWorkload: async () => ({ kind: "done" }),
    scaleWorkload: async () => ({ kind: "done" }),
    listWorkloads: async () => [],
    readWorkload: async () => ({ desired: 2, ready: 0, begun: 2, reasons: pods }),
    lastLines: async () => ["starting", `cannot reach ${value}`],
  };
  return {
    clock: {
      now: () => "2026-03-01T08:00:00Z",
      monotonicMs: () => {
        ms += 20_000;
        return ms;
      },
    },
    regions: { cluster: async () => cluster },
    secrets: { read: async () => ({}), everyValue: async () => [value] },
    wayBack: async () => [],
  } as unknown as Ports;
}

test("pods that do not get ready are one sentence, with what each says and printed beside it, and nothing of their secrets", async () => {
  const command = { type: "PrepareWorkload", region: "a", epoch: 1, step: 0, replicas: 2 } as unknown as Command;
  const row = { state: sampleDeployment(), generation: 0 };
  const ctx = { id: "D-7", signal: AbortSignal.timeout(60_000), current: async () => row } as unknown as Context;

  const outcome = await prepareWorkload(unready(), command as Extract<Command, { type: "PrepareWorkload" }>, ctx);

  if (outcome.kind !== "fact") throw new Error("no fact");
  expect(outcome.fact("2026-03-01T08:00:00Z" as Instant)).toMatchObject({
    type: "WorkloadFailed",
    reason: "2 of 2 pods are not ready: Error, no ***",
    pods: ["orders-1: Error, no ***", "orders-2: Error, no ***"],
    lines: ["starting", "cannot reach ***"],
  });
});
