/**
 * What this release does with an order before it answers. The stage on which changes of this example are played:
 * everything else in the service stays as it is.
 */
export const release = "1.0";

/** Resolves when the order may be answered. `sequence` counts the requests of this process, from 1. */
export async function beforeAnswer(_sequence) {}
