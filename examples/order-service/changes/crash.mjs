/**
 * What this release does with an order before it answers. The stage on which changes of this example are played:
 * everything else in the service stays as it is.
 */
export const release = "1.4";

/** The first requests are served well, as they are in a test run: the fault shows only under use. */
const lives = 20;

/** Resolves when the order may be answered. `sequence` counts the requests of this process, from 1. */
export async function beforeAnswer(sequence) {
  if (sequence <= lives) return;
  console.error(JSON.stringify({ level: "fatal", message: "the stock does not fit into memory" }));
  process.exit(134);
}
