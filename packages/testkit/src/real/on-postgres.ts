import { afterAll, beforeAll, describe } from "vitest";
import { useServer } from "../test-server.ts";
import type { RealPart } from "./part.ts";
import { type RealPostgres, startPostgres } from "./postgres.ts";

/** Runs test files that have databases of the run's server on one of that part instead: `() => import("./its.test.ts")` each. */
export function onPostgres(part: RealPart | undefined, files: readonly (() => Promise<unknown>)[]): void {
  describe.skipIf(part === undefined)(`on ${part?.from}`, () => {
    let server: RealPostgres;
    beforeAll(async () => {
      server = await startPostgres(part!);
      useServer(server);
    });
    afterAll(async () => await server?.stop());

    // Of each file its own hooks.
    for (const [at, file] of files.entries()) describe(`file ${at + 1}`, async () => void (await file()));
  });
}
