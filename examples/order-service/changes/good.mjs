/**
 * What this release does with an order before it answers. The stage on which changes of this example are played:
 * everything else in the service stays as it is.
 */
export const release = "1.1";

let answered = 0;

/** Resolves when the order may be answered. `sequence` counts the requests of this process, from 1. */
export async function beforeAnswer(sequence) {
  answered = sequence;
}

/** How many orders this process has seen to. */
export function answeredSoFar() {
  return answered;
}
