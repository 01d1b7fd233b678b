import type { Instant } from "@slipway/kernel";
import { expect, test } from "vitest";
import { sampleDeployment } from "../../test/support/sample.ts";
import type { Command } from "../domain/command.ts";
import type { Context, Ports } from "./ports.ts";
import { prepareWorkload } from "./workload.ts";

const value = "postgres://orders:hunter22@db";
const pods = [`orders-1: Error, no ${value}`, `orders-2: Error, no ${value}`];

const noneReady = { desired: 2, ready: 0, begun: 2, reasons: pods };
type Unready = {
  readonly readWorkload: () => Promise<typeof noneReady>;
  readonly tickMs: number;
  readonly lines: readonly string[];
};

/** Ports of a region whose two pods never get ready and print their secret, and of a clock that runs out. */
function unready({
  readWorkload = async () => noneReady,
  tickMs = 20_000,
  lines = ["starting", `cannot reach ${value}`],
}: Partial<Unready> = {}): Ports {
  let ms = 0;
  const cluster = {
    ensureWorkload: async () => ({ kind: "done" }),
    scaleWorkload: async () => ({ kind: "done" }),
    listWorkloads: async () => [],
    readWorkload,
    lastLines: async () => lines,
  };
  return {
    clock: {
      now: () => "2026-03-01T08:00:00Z",
      monotonicMs: () => {
        ms += tickMs;
        return ms;
      },
    },
    regions: { cluster: async () => cluster },
    secrets: { read: async () => ({}), everyValue: async () => [value] },
    wayBack: async () => [],
  } as unknown as Ports;
}

async function prepare(ports: Ports) {
  const command = { type: "PrepareWorkload", region: "a", epoch: 1, step: 0, replicas: 2 } as unknown as Command;
  const row = { state: sampleDeployment(), generation: 0 };
  const ctx = { id: "D-7", signal: AbortSignal.timeout(60_000), current: async () => row } as unknown as Context;
  const outcome = await prepareWorkload(ports, command as Extract<Command, { type: "PrepareWorkload" }>, ctx);
  return outcome.kind === "fact" ? outcome.fact("2026-03-01T08:00:00Z" as Instant) : outcome;
}

test("pods that do not get ready are one sentence, with what each says and printed beside it, and nothing of their secrets", async () => {
  expect(await prepare(unready())).toMatchObject({
    type: "WorkloadFailed",
    reason: "2 of 2 pods are not ready: Error, no ***",
    pods: ["orders-1: Error, no ***", "orders-2: Error, no ***"],
    lines: ["starting", "cannot reach ***"],
  });
});

test("a program that was refused a write is told in the reason where it can write", async () => {
  const lines = ["Error: EROFS: read-only file system, mkdir '/app/data'"];

  expect(await prepare(unready({ lines }))).toMatchObject({
    reason:
      "2 of 2 pods are not ready: Error, no ***; a write was refused: a pod can write below /tmp alone, its image is read-only",
  });
});

test("a poll that fails costs that poll, and not the time that a command which failed waits", async () => {
  let polls = 0;
  const readWorkload = async () => {
    polls += 1;
    if (polls === 2) throw new Error("503");
    return { ...noneReady, ready: polls > 2 ? 2 : 0 };
  };

  expect(await prepare(unready({ readWorkload, tickMs: 100 }))).toMatchObject({ type: "WorkloadReady" });
  expect(polls).toBe(3);
});

test("pods that cannot be read are not called unready: it says so, and reads them again a second later", async () => {
  const readWorkload = async () => Promise.reject(new Error("503"));

  expect(await prepare(unready({ readWorkload, tickMs: 1_000 }))).toEqual({
    kind: "retry",
    afterMs: 1_000,
    reason: "its pods cannot be read: 503",
  });
});
