// `npm run test:soak`: the tests again and again, each round with a seed of its own, and laws over many more cases than `npm test` has time for.
//
//   soak.mjs [--rounds N] [--minutes M] [FILTER]...     default: 3 rounds of unit and integration; filters as for `npm test`
//
// It ends at the first round that fails and says its seed.
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { projectsOf, runTests } from "./check/tests.mjs";

const casesFactor = "10";
const { values, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" }, minutes: { type: "string", default: "600" } },
});
const rounds = positive("rounds");
const endsAt = performance.now() + positive("minutes") * 60_000;
const chosen = filters.length > 0 ? projectsOf(filters) : ["unit", "integration"];
process.env.SLIPWAY_TEST_CASES_FACTOR = casesFactor;

let passed = 0;
let failed = 0;
for (let round = 1; round <= rounds && performance.now() < endsAt && failed === 0; round += 1) {
  const seed = String(randomInt(1, 2 ** 31));
  console.log(`Round ${round} of ${rounds}: SLIPWAY_TEST_SEED=${seed} SLIPWAY_TEST_CASES_FACTOR=${casesFactor}`);
  for (const project of chosen) {
    const result = await runTests(project, filters, seed);
    if (result.output) console.log(result.output);
    passed += result.passed;
    failed += result.failed;
  }
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

function positive(name) {
  const value = Number(values[name]);
  if (value > 0) return value;
  console.error(`--${name} takes a number above 0, not ${values[name]}`);
  process.exit(2);
}
