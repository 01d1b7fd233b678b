import fc from "fast-check";

/** One seed for every law of a run, so that a run can be repeated: `npm test` chooses and prints it. */
const seed = Number(process.env.SLIPWAY_TEST_SEED);
if (Number.isInteger(seed) && seed > 0) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
