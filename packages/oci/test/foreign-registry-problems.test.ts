import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { foreignRegistries, foreignRegistryChecks, RegistriesFile } from "../src/index.ts";

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

test("whether images may be published is known by an upload that is begun and given up", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-foreign-"));
  const asked: string[] = [];
  let status = 202;
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const location = "/v2/slipway/slipway-doctor/blobs/uploads/1?_state=x";
    const answer = request.method === "POST" ? status : 204;
    response.writeHead(answer, { location }).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const file = join(folder, "registries.json");
  await writeFile(file, JSON.stringify({ hosts: { [host]: { private: true, http: true } } }));
  const published = async (publishTo = `${host}/slipway`) =>
    (await foreignRegistryChecks({ file, publishTo, loopback: false })).published;

  expect(await published()).toEqual([]);
  expect(asked.filter((one) => one.includes("slipway-doctor"))).toEqual([
    "POST /v2/slipway/slipway-doctor/blobs/uploads/",
    "DELETE /v2/slipway/slipway-doctor/blobs/uploads/1?_state=x",
  ]);
  status = 403;
  expect(await published()).toEqual([
    `${host} does not let Slipway push to slipway/slipway-doctor (403): give its account there the right to push and pull`,
  ]);
  server.closeAllConnections();
  server.close();
  await once(server, "close");
  expect(await published()).toEqual([
    expect.stringMatching(/ does not take it now \(.*\): start it, or correct SLIPWAY_PUBLISH_TO$/),
  ]);
  expect(await published("https://registry.example/x")).toEqual([
    expect.stringMatching(
      /^SLIPWAY_PUBLISH_TO names no place: correct SLIPWAY_PUBLISH_TO, it looks like registry\.example\.com\/team/,
    ),
  ]);
  expect(await published("169.254.169.254/x")).toEqual([
    "169.254.169.254 may not be asked for images: it is at an address that no registry has: allow it in SLIPWAY_EXTERNAL_REGISTRIES",
  ]);
  const nowhere = await foreignRegistryChecks({ file: join(folder, "none"), publishTo: undefined, loopback: false });
  expect(nowhere.named).toEqual([
    expect.stringMatching(/none cannot be read: correct the file of SLIPWAY_EXTERNAL_REGISTRIES$/),
  ]);
  await rm(folder, { recursive: true });
});
