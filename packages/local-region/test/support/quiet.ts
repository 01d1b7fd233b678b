import type { Logger } from "../../src/index.ts";

/** Shows warnings with SLIPWAY_TEST_LOG set, else nothing. */
const show = (details: object, message: string): void => {
  if (process.env.SLIPWAY_TEST_LOG !== undefined) process.stderr.write(`${message} ${JSON.stringify(details)}\n`);
};

export const quiet: Logger = { debug: show, info: show, warn: show, error: show };
