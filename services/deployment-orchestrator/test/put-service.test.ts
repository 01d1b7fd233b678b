import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type OrchestratorHost, startHost } from "./support/host.ts";

let platform: OrchestratorHost;
beforeAll(async () => {
  platform = await startHost();
});
afterAll(() => platform.close());

const put = (body: object, as = "admin") => platform.fetch("/api/v1/services/shop", { method: "PUT", as, body });

/** What the audit log has of it, oldest first. */
async function audited(): Promise<readonly object[]> {
  const { rows } = await sql<object>`
    select actor, action, detail from audit where subject = 'shop' order by seq`.execute(
    platform.database.db("deployment"),
  );
  return rows;
}

test("an admin says whose a service is and where its builds go, nobody else does, and it is audited", async () => {
  const answers = [
    await put({ owner: "checkout", deploys_to: "dev" }),
    await put({ owner: "payments" }),
    await put({ owner: "mallory" }, "deployer"),
  ];
  const view = await platform.fetch("/api/v1/services/shop");

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 403]);
  expect(await view.json()).toMatchObject({ owner: "payments", deploys_to: "dev" });
  expect(await audited()).toMatchObject([
    { action: "service.put", detail: { owner: "checkout", deploys_to: "dev" } },
    { action: "service.put", detail: { owner: "payments" } },
  ]);
});

test("nothing goes to production by itself, and nothing to where nothing is", async () => {
  const before = await audited();
  const production = await put({ owner: "checkout", deploys_to: "prod" });
  const nowhere = await put({ owner: "checkout", deploys_to: "prd" });

  expect([production.status, nowhere.status]).toEqual([400, 404]);
  expect(await production.json()).toMatchObject({
    detail: expect.stringContaining("nothing goes to production by itself"),
  });
  expect(await audited()).toEqual(before);
});
