import { openDb, silentLogger } from "@slipway/sql";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BuildState } from "../src/domain/state.ts";
import type { BuildTables } from "../src/tables.ts";
import { testRepository } from "./git-repository.ts";
import { type Served, type ServedPlace, servedPlace } from "./served.ts";

const file = (service: string) => `version: 1
service: ${service}
pipeline:
  compile: { run: mkdir out && echo 1 > out/main.js }
image: { copy: [out], command: [node, out/main.js] }
`;

let place: ServedPlace;
let processes: readonly Served[];
beforeAll(async () => {
  place = await servedPlace({ SLIPWAY_MAX_BUILDS: "1" });
  // One after the other: the first prepares the schemas.
  processes = [await place.start(), await place.start()];
});
afterAll(() => place.close());

test("of builds that are pushed together to two processes only as many run as have places, in the order of their numbers, and those that wait say behind whom", async () => {
  const names = ["one", "two", "three", "four", "five", "six"];
  const pushes = await Promise.all(
    names.map(async (name) => {
      const { url, commit } = await testRepository(place.folder, name, false);
      return { name, url, sha: await commit({ "slipway.yaml": file(name) }) };
    }),
  );
  const at = (i: number): Served => processes[i % processes.length] as Served;

  const ids = await Promise.all(pushes.map(({ name, ...push }, i) => at(i).push(name, push)));
  const last = ids.toSorted(byNumber).at(-1) as string;
  const behind =
    /^a place among the running builds: 1 of 1 \(SLIPWAY_MAX_BUILDS\) is taken, [1-4] more waits? before this one$/;
  await until(async () => behind.test((await at(0).view(last)).waiting?.for ?? ""), {
    what: "the last to say behind whom",
  });
  const ended = await Promise.all(ids.map((id, i) => at(i).ended(id)));

  expect(ended.map(({ status }) => status)).toEqual(ids.map(() => "SUCCEEDED"));
  const ran = (await statesOf(place)).toSorted((a, b) => byNumber(a.buildId, b.buildId));
  for (const [i, build] of ran.entries()) {
    const before = ran[i - 1];
    if (before !== undefined)
      expect(build.startedAt >= before.endedAt, `${build.buildId} ${build.startedAt}`).toBe(true);
  }
});

const byNumber = (a: string, b: string): number => Number(a.slice(2)) - Number(b.slice(2));

type Ran = Extract<BuildState, { phase: "succeeded" }>;

async function statesOf({ database }: ServedPlace): Promise<Ran[]> {
  const url = database.url("build");
  const db = openDb<BuildTables>({ url, schema: "build", max: 1, applicationName: "test", log: silentLogger });
  try {
    const rows = await db.selectFrom("machine").select("state").where("phase", "=", "succeeded").execute();
    return rows.map(({ state }) => state as Ran);
  } finally {
    await db.destroy();
  }
}
