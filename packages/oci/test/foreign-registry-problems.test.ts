import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { foreignRegistryChecks } from "../src/index.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-foreign-"));
  file = join(folder, "registries.json");
});
afterEach(() => rm(folder, { recursive: true }));

const named = async (loopback = false): Promise<readonly string[]> =>
  (await foreignRegistryChecks({ file, loopback, publishTo: undefined })).named;

async function problems(text: string | object, loopback = false): Promise<readonly string[]> {
  await writeFile(file, typeof text === "string" ? text : JSON.stringify(text));
  return named(loopback);
}

test("a foreign registry that refuses the operator's password, is away, or whose password cannot be read is named with what to correct", async () => {
  const server = createServer(({ headers }, response) => {
    const right = headers.authorization === `Basic ${Buffer.from("me:right").toString("base64")}`;
    response.writeHead(right ? 200 : 401, { "www-authenticate": 'Basic realm="r"' }).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const password_file = join(folder, "password");
  const named = { private: true, http: true, username: "me", password_file };

  await writeFile(password_file, "hunter2");
  expect(await problems({ hosts: { [host]: named, "127.0.0.1:1": { private: true, http: true } } })).toEqual([
    `the registry ${host} refuses user and password: correct them in SLIPWAY_EXTERNAL_REGISTRIES`,
    "nothing listens at 127.0.0.1:1: start the registry, or correct its URL in SLIPWAY_EXTERNAL_REGISTRIES",
  ]);
  await writeFile(password_file, "right\n");
  expect(await problems({ hosts: { [host]: named } })).toEqual([]);
  // Without TLS only where the file says so, or where this very machine may be copied from.
  const tls = { hosts: { [host]: { ...named, http: false } } };
  expect(await problems(tls)).toEqual([expect.stringContaining("does not speak TLS")]);
  expect(await problems(tls, true)).toEqual([]);
  expect(await problems({ hosts: { [host]: { ...named, password_file: join(folder, "nowhere") } } })).toEqual([
    `the password of ${host} cannot be read: correct its password_file in SLIPWAY_EXTERNAL_REGISTRIES`,
  ]);
  expect(await problems({})).toEqual([]);
  server.close();
});

test("a file that is not there, is no JSON or says something else is named with what is wrong, and nothing of it is quoted", async () => {
  const said = `${file}, the file of SLIPWAY_EXTERNAL_REGISTRIES,`;

  expect(await named()).toEqual([
    `${said} cannot be read (ENOENT): put it there, or correct SLIPWAY_EXTERNAL_REGISTRIES`,
  ]);
  for (const text of ['hunter2: "x"', '{ "hosts": {}\n "public" }']) {
    const [problem = "", ...more] = await problems(text);
    expect([problem.startsWith(`${said} is no JSON`), problem.endsWith(": correct it"), more]).toEqual([
      true,
      true,
      [],
    ]);
    expect(problem).not.toContain("hunter2");
  }
  const words = [
    [{ hosts: { "registry.example": { privat: true } } }, 'unknown key "privat", did you mean "private"?'],
    [{ hosts: { "registry.example": { username: 7 } } }, "username: must be a text"],
    [{ hosts: { "registry.example": { http: "yes" } } }, "http: must be true or false"],
    [{ hosts: { "registry.example": { ecr: { region: "Ireland" } } } }, "ecr.region: is no region of AWS"],
    [{ hosts: { "https://registry.example": {} } }, "write a host as the names of images do, e.g. ghcr.io"],
    [[], "must be a map of keys and values"],
  ] as const;
  for (const [content, word] of words) {
    const [problem = "", ...more] = await problems(content);
    expect(problem).toContain(`${said} is not understood (`);
    expect([problem, more]).toEqual([expect.stringContaining(word), []]);
    expect(problem).not.toMatch(/Invalid|Unrecognized|expected/);
  }
});

test("whether images may be published is known by an upload that is begun and given up", async () => {
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
});
