import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { foreignRegistries, RegistriesFile } from "../src/index.ts";

test("a foreign registry that refuses the operator's password, is away, or whose password cannot be read is named with what to correct", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-foreign-"));
  const server = createServer(({ headers }, response) => {
    const right = headers.authorization === `Basic ${Buffer.from("me:right").toString("base64")}`;
    response.writeHead(right ? 200 : 401, { "www-authenticate": 'Basic realm="r"' }).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const password_file = join(folder, "password");
  const named = { private: true, http: true, username: "me", password_file };
  const problems = (hosts: object) => foreignRegistries(RegistriesFile.parse({ hosts }), false).problems();

  await writeFile(password_file, "hunter2");
  expect(await problems({ [host]: named, "127.0.0.1:1": { private: true, http: true } })).toEqual([
    `the registry ${host} refuses user and password: correct them in SLIPWAY_EXTERNAL_REGISTRIES`,
    "nothing listens at 127.0.0.1:1: start the registry, or correct its URL in SLIPWAY_EXTERNAL_REGISTRIES",
  ]);
  await writeFile(password_file, "right\n");
  expect(await problems({ [host]: named })).toEqual([]);
  expect(await problems({ [host]: { ...named, password_file: join(folder, "nowhere") } })).toEqual([
    `the password of ${host} cannot be read: correct its password_file in SLIPWAY_EXTERNAL_REGISTRIES`,
  ]);
  expect(await problems({})).toEqual([]);
  server.close();
  await rm(folder, { recursive: true });
});
