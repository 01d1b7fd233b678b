import { until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testRepository } from "./git-repository.ts";
import { type ServedPlace, servedPlace } from "./served.ts";

let place: ServedPlace;
beforeAll(async () => {
  place = await servedPlace();
});
afterAll(() => place.close());

test("a step that was cut off by kill -9 runs again from a clean workspace, and its build succeeds", async () => {
  const repository = await testRepository(place.folder, "small", false);
  const step =
    "if [ -e left ]; then echo dirty; fi; touch left; echo begun; sleep 1; mkdir out; echo 1 > out/main.js; echo done";
  const sha = await repository.commit({
    "slipway.yaml": `version: 1\nservice: small\npipeline:\n  first: { run: echo once }\n  second: { needs: [first], run: '${step}' }\nimage: { copy: [out], command: [node, out/main.js] }\n`,
  });
  const before = await place.start();
  const id = await before.push("small", { url: repository.url, sha });
  await until(async () => (await before.log(id)).includes("second | begun"), {
    what: "the step to have begun",
    timeoutMs: 100_000,
  });

  await before.kill();
  const after = await place.start();

  const build = await after.ended(id);
  const text = await after.log(id);
  expect(build, text).toMatchObject({ status: "SUCCEEDED" });
  expect(text.match(/first \| once/g)).toHaveLength(1);
  expect(text.match(/second \| begun/g)).toHaveLength(2);
  expect(text.match(/second \| done/g)).toHaveLength(1);
  expect(text).toContain("(attempt 2, from a clean workspace)");
  expect(text).not.toContain("second | dirty");
  await after.kill();
}, 400_000);
