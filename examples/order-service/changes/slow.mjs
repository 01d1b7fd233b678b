import { setTimeout as pause } from "node:timers/promises";

/**
 * What this release does with an order before it answers. The stage on which changes of this example are played:
 * everything else in the service stays as it is.
 */
export const release = "1.3";

const slowMs = 250;
/** The first requests are served well, as they are in a test run: the fault shows only under use. */
const warm = 20;

/** Resolves when the order may be answered. `sequence` counts the requests of this process, from 1. */
export async function beforeAnswer(sequence) {
  if (sequence > warm && sequence % 3 === 0) await pause(slowMs);
}
