import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { foreignRegistryProblems } from "../src/index.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-foreign-"));
  file = join(folder, "registries.json");
});
afterEach(() => rm(folder, { recursive: true }));

async function problems(text: string | object, loopback = false): Promise<readonly string[]> {
  await writeFile(file, typeof text === "string" ? text : JSON.stringify(text));
  return foreignRegistryProblems(file, loopback);
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

  expect(await foreignRegistryProblems(file, false)).toEqual([
    `${said} cannot be read (ENOENT): put it there, or correct the variable`,
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
  expect(await problems({ hosts: { "registry.example": { insecure: true } } })).toEqual([
    `${said} is not understood (hosts.registry.example: Unrecognized key: "insecure"): correct it`,
  ]);
});
