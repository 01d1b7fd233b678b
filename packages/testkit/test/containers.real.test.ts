import { basename } from "node:path";
import pg from "pg";
import { getContainerRuntimeClient } from "testcontainers";
import { expect, test } from "vitest";
import { inContainers, realPart, runFolder, startRedis, testDatabase } from "../src/index.ts";

const redis = realPart("redis");

/** What the engine itself says of the containers of this run. */
async function containers(): Promise<readonly { readonly image: string; readonly state: string }[]> {
  const { container } = await getContainerRuntimeClient();
  const listed = await container.dockerode.listContainers({ all: true });
  return listed
    .filter(({ Labels }) => Labels["dev.slipway.real-run"] === basename(runFolder()))
    .map(({ Image, State }) => ({ image: Image.replace(/:.*/, ""), state: State }));
}

test.skipIf(!inContainers())("the database of a run in containers is in one", async () => {
  const database = await testDatabase("deployment");
  const client = new pg.Client({ connectionString: database.adminUrl });
  await client.connect();
  const { rows } = await client.query<{ pid: number; port: string }>(
    "select pg_backend_pid() as pid, current_setting('port') as port",
  );
  await client.end();
  await database.close();

  expect(new URL(database.adminUrl).port).toBe(rows[0]?.port);
  expect(await containers()).toContainEqual({ image: "slipway-real/postgres", state: "running" });
});

test.skipIf(!inContainers() || redis === undefined)(
  "a server of a run in containers is in one, which goes when it is killed, and another comes",
  async () => {
    const ofRedis = async () => (await containers()).filter(({ image }) => image === "slipway-real/redis");
    const server = await startRedis(redis!);
    const first = await ofRedis();
    await server.kill();
    const killed = await ofRedis();
    await server.start();
    const again = await ofRedis();
    await server.stop();

    expect([first, killed, again, await ofRedis()]).toEqual([
      [{ image: "slipway-real/redis", state: "running" }],
      [],
      [{ image: "slipway-real/redis", state: "running" }],
      [],
    ]);
  },
);
