import fc from "fast-check";

/** One seed for every law of a run, so that a run can be repeated: `npm test` chooses and prints it. */
const seed = Number(process.env.SLIPWAY_TEST_SEED);
if (Number.isInteger(seed) && seed > 0) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });

/** A soak looks at more cases of each law that names no number of its own. */
const factor = Number(process.env.SLIPWAY_TEST_CASES_FACTOR);
if (Number.isInteger(factor) && factor > 1) fc.configureGlobal({ ...fc.readConfigureGlobal(), numRuns: 100 * factor });
