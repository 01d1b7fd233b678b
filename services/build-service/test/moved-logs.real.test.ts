import { createClient } from "@slipway/client";
import type { BuildId } from "@slipway/kernel";
import { type Objects, s3Objects } from "@slipway/objects";
import { realPart, startS3, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { BuildTables } from "../src/tables.ts";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { whereabouts } from "./kept-logs.ts";
import { type ServedPlace, servedPlace } from "./served.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

const part = realPart("versitygw");
const timeoutMs = 60_000;

describe.skipIf(part === undefined)("logs of builds in a real S3 server", () => {
  let s3: Awaited<ReturnType<typeof startS3>>;
  beforeAll(async () => {
    s3 = await startS3(part!);
    await s3.makeBucket("slipway");
    vi.stubEnv("AWS_ACCESS_KEY_ID", s3.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", s3.secretAccessKey);
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  });
  afterAll(async () => {
    await s3?.stop();
    vi.unstubAllEnvs();
  });

  /** Each platform has a prefix of its own. */
  const urlOf = (prefix: string) => `s3://slipway/${prefix}?endpoint=${s3.endpoint}`;
  const envOf = (prefix: string) => ({ SLIPWAY_OBJECTS_URL: urlOf(prefix), SLIPWAY_MOVE_BUILD_LOGS: "0ms" });
  const commitOf = (repository: TestRepository, run: string) =>
    repository.commit({
      "slipway.yaml": `version: 1\nservice: small\npipeline:\n  talk:\n    run: |\n      ${run}\nimage: { copy: [slipway.yaml], command: [node] }\n`,
    });

  describe("of a service that runs on", () => {
    let platform: Platform;
    let small: TestRepository;
    beforeAll(async () => {
      platform = await startBuildService(envOf("runs-on"));
      small = await testRepository(platform.folder, "small", false);
      await platform.register("small", small.url);
    });
    afterAll(() => platform?.close());

    const build = async (run: string) =>
      (await platform.buildOf(await platform.push({ url: small.url, sha: await commitOf(small, run) }))) as BuildId;
    const isMoved = (id: BuildId) =>
      until(async () => (await whereabouts(platform.database.db<BuildTables>("build"), id)).object !== null, {
        ...{ what: `the log of ${id} to have moved`, timeoutMs },
      });
    async function followed(id: string): Promise<string> {
      const client = createClient({ url: platform.host.url, token: platform.host.tokens.get("viewer") });
      let text = "";
      try {
        for await (const { event, data } of client.stream(`/api/v1/builds/${id}/logs`))
          text += event === "log" ? data : "";
        return text;
      } finally {
        await client.close();
      }
    }

    test("read back as they were streamed, from any offset, although they are megabytes", async () => {
      const id = await build("seq 1 200000; echo 'grüße 你好'");
      const live = await followed(id);
      await isMoved(id);
      const whole = Buffer.from(live);

      expect(whole.length).toBeGreaterThan(2_000_000);
      expect(await platform.log(id)).toBe(live);
      expect(await followed(id)).toBe(live);
      const from = whole.length - 1_000;
      const rest = await platform.fetch(`/api/v1/builds/${id}/logs?from=${from}`);
      expect(await rest.text()).toBe(whole.subarray(from).toString("utf8"));
      const [stored] = await s3Objects({ url: urlOf("runs-on") }).list(`logs/${id}/`);
      expect(stored?.size).toBeLessThan(whole.length / 3);
    });

    test("while it is away stream on, and move when it is back", async () => {
      const moved = await build("echo moved");
      await platform.ended(moved);
      await isMoved(moved);
      const text = await platform.log(moved);
      await s3.kill();

      const id = await build("for i in 1 2 3; do echo line $i; sleep 0.3; done");
      const live = await followed(id);
      expect((await platform.view(id)).status).toBe("SUCCEEDED");
      expect(live).toContain("talk | line 3\n");
      expect(await platform.log(id)).toBe(live);
      const answer = await platform.fetch(`/api/v1/builds/${moved}/logs`);
      expect([answer.status, await answer.json()]).toEqual([
        503,
        expect.objectContaining({
          code: "unavailable",
          detail: expect.stringMatching(/is in the object store.*nothing listens at .*SLIPWAY_OBJECTS_URL/),
        }),
      ]);

      await s3.start();
      await isMoved(id);
      expect(await platform.log(id)).toBe(live);
      expect(await platform.log(moved)).toBe(text);
    });
  });

  describe("of a process that is killed", () => {
    let place: ServedPlace;
    let objects: Objects;
    beforeAll(async () => {
      place = await servedPlace(envOf("killed"));
      objects = s3Objects({ url: urlOf("killed") });
    });
    afterAll(() => place?.close());

    test("between the object and the row lose nothing, and the next one moves them", async () => {
      const repository = await testRepository(place.folder, "small", false);
      const sha = await commitOf(repository, "seq 1 500; sleep 2");
      const db = place.database.db<BuildTables>("build");
      const first = await place.start();
      const id = (await first.push("small", { url: repository.url, sha })) as BuildId;
      await until(async () => (await first.log(id)).includes("talk | 500\n"), { what: "the step to print", timeoutMs });
      await db.transaction().execute(async (tx) => {
        // The object can be made; the transaction that takes these away has to wait.
        const hold = sql`select from build_log_chunk where build_id = ${id} for update`;
        const isMade = async () => (await hold.execute(tx)) && (await objects.list(`logs/${id}/`)).length > 0;
        await until(isMade, { what: "the object", timeoutMs });
        await first.kill();
      });

      expect(await whereabouts(db, id)).toMatchObject({
        object: null,
        here: expect.stringContaining("talk | 500\n"),
      });
      const text = (await whereabouts(db, id)).here;
      // As after ten minutes.
      await db.updateTable("build_log").set({ claimed_until: null }).where("build_id", "=", id).execute();
      const second = await place.start();
      await until(async () => (await whereabouts(db, id)).object !== null, {
        what: "the log to have moved",
        timeoutMs,
      });
      expect(await second.log(id)).toBe(text);
      expect(await objects.list(`logs/${id}/`)).toHaveLength(1);
      await second.kill();
    });
  });
});
