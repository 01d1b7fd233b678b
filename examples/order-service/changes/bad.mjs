import { setTimeout as pause } from "node:timers/promises";

/**
 * What this release does with an order before it answers. The stage on which changes of this example are played:
 * everything else in the service stays as it is.
 */
export const release = "1.2";

const slowMs = 80;
/** The first requests are served well, as they are in a test run: the fault shows only under use. */
const warm = 20;

/** Resolves when the order may be answered. `sequence` counts the requests of this process, from 1. */
export async function beforeAnswer(sequence) {
  if (sequence <= warm) return;
  await pause(slowMs);
  if (Math.random() < 0.2) throw new Error("the stock could not be read");
}
