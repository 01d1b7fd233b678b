import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { databaseText } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

const value = `p@ss ${randomBytes(18).toString("base64")} "quoted"\nsecond-${randomBytes(6).toString("hex")}`;
const [firstLine = "", secondLine = ""] = value.split("\n");

let platform: Platform;
let small: TestRepository;

beforeAll(async () => {
  platform = await startBuildService();
  small = await testRepository(platform.folder, "small", false);
  await platform.register("small", small.url);
});
afterAll(() => platform.close());

const path = (name: string, service = "small") => `/api/v1/repositories/${service}/secrets/${name}`;
const put = (name: string, secret: unknown, as = "deployer") =>
  platform.fetch(path(name), { method: "PUT", as, body: { value: secret } });

async function build(pipeline: string): Promise<{ id: string; log: string; reason: string | null; status: string }> {
  const sha = await small.commit({
    "slipway.yaml": `version: 1\nservice: small\npipeline:\n${pipeline}\nimage: { copy: [out], command: [node, out/main.js] }\n`,
  });
  const id = await platform.buildOf(await platform.push({ url: small.url, sha }));
  const { reason, status } = await platform.ended(id);
  return { id, reason, status, log: await platform.log(id) };
}

describe("a secret of builds", () => {
  test("is set by who may deploy, listed without its value and never given out", async () => {
    const set = await put("TOKEN", value);
    const listed = await platform.fetch("/api/v1/repositories/small/secrets");

    expect(set.status).toBe(200);
    const [told, list] = [await set.text(), await listed.text()];
    expect(JSON.parse(list)).toMatchObject({
      secrets: [{ name: "TOKEN", scope: "build", set_by: "deployer", readable: true, revision: expect.any(String) }],
    });
    expect(told + list).not.toContain(secondLine);
    expect((await platform.fetch(path("TOKEN"), { as: "admin" })).status).toBe(404);
  });

  test("is refused to others, under a reserved name, and where it could not be masked", async () => {
    expect((await put("TOKEN", value, "viewer")).status).toBe(403);
    expect((await put("TOKEN", value, "build-service")).status).toBe(403);
    for (const name of ["PATH", "LD_PRELOAD", "SLIPWAY_GIT_SHA", "NODE_OPTIONS", "token", "1A"]) {
      expect((await put(name, value)).status, name).toBe(400);
    }
    const wrong = ["", "tiny!", "a\nb\nc", `nul\0in it`, "x".repeat(32 * 1_024 + 1), 7];
    for (const each of wrong) {
      const answer = await put("WRONG", each);
      expect(answer.status).toBe(400);
      if (typeof each === "string" && each.length > 3) expect(await answer.text()).not.toContain(each);
    }
  });
});

describe("a step", () => {
  test("has the secrets that it names, and no log shows them, however they are printed", async () => {
    const prints = [
      `printf '%s' "$TOKEN" | cksum | cut -d' ' -f1 > sum; cat sum`,
      'printf "%s\\n" "$TOKEN"; printf "user:%s" "$TOKEN" | base64; printf "%s" "$TOKEN" | od -An -tx1 | tr -d " \\n"; echo',
      `node -e 'console.log(JSON.stringify({ t: process.env.TOKEN }), encodeURIComponent(process.env.TOKEN))'`,
      `node -e 'process.stdout.write(process.env.TOKEN.slice(0, 9)); setTimeout(() => console.log(process.env.TOKEN.slice(9)), 50)'`,
      "mkdir out; printenv TOKEN > out/main.js",
    ];
    const steps = [
      `  one: { secrets: [TOKEN], run: ${JSON.stringify(prints.join("\n"))} }`,
      `  two: { needs: [one], run: 'test -z "\${TOKEN:-}" && cat out/main.js && echo none of its own' }`,
    ];

    const { log, status } = await build(steps.join("\n"));

    expect(status, log).toBe("SUCCEEDED");
    expect(log).toContain("two | none of its own");
    expect(log).toContain(`one | ${cksum(value)}`);
    const forms = [firstLine, secondLine, Buffer.from(secondLine).toString("hex"), encodeURIComponent(firstLine)];
    for (const form of forms) expect(log).not.toContain(form);
    const shown = log
      .split("\n")
      .map((line) => line.split(" | ")[1] ?? "")
      .join("")
      .replaceAll("***", "");
    expect(Buffer.from(shown, "base64").toString("latin1")).not.toContain(secondLine);
  });

  test("that names a secret which is not set fails at once, with the command that sets it", async () => {
    const { log, status, reason } = await build("  one: { secrets: [TOKEN, NPM_KEY], run: echo began }");

    expect(status).toBe("FAILED");
    expect(reason).toContain("step one: The secret NPM_KEY of small for builds is not set.");
    expect(reason).toContain("slipway secrets set small NPM_KEY --build");
    expect(log).not.toMatch(/^one \| began/m);
  });

  test("that fails shows no secret in its reason, though it was refused a host of that name", async () => {
    const hostly = "a-secret-like-a-host-name";
    await platform.fetch(path("HOSTLY"), { method: "PUT", as: "deployer", body: { value: hostly } });
    const asks =
      'const { hostname, port } = new URL(process.env.HTTP_PROXY); require("node:http").request({ hostname, port, method: "CONNECT", path: process.env.HOSTLY + ":443" }).on("connect", () => process.exit(1)).end();';

    const { log, status, reason } = await build(
      `  one: { secrets: [HOSTLY], network: registries, run: ${JSON.stringify(`node -e '${asks}'`)} }`,
    );

    expect(status, log).toBe("FAILED");
    expect(reason).toContain("step one: exit code 1, after it was refused ***, which is no package registry");
    expect(log).not.toContain(hostly);
  });

  test("of another service is not given it", async () => {
    const set = await platform.fetch(path("OTHERS", "other"), { method: "PUT", as: "deployer", body: { value } });
    expect(await set.json()).toMatchObject({ warning: expect.stringContaining("No service other is known yet") });

    const { reason } = await build("  one: { secrets: [OTHERS], run: printenv OTHERS }");

    expect(reason).toContain("OTHERS of small for builds is not set");
  });
});

test("a removed secret is gone, and removing it again says so", async () => {
  const remove = () => platform.fetch(path("OTHERS", "other"), { method: "DELETE", as: "deployer" });

  expect((await remove()).status).toBe(200);
  const again = await remove();
  expect(again.status).toBe(404);
  expect(await again.json()).toMatchObject({ code: "secret.not_found" });
});

test("no table of the database holds the value, in clear or encoded", async () => {
  const text = await databaseText(platform.database.adminUrl);

  expect(text).toContain("TOKEN");
  for (const piece of [firstLine, secondLine]) {
    for (const encoding of ["utf8", "hex", "base64"] as const) {
      const form = Buffer.from(piece).toString(encoding).replace(/=+$/, "").slice(0, -1);
      expect(text).not.toContain(form);
    }
  }
  const key = (await readFile(join(platform.folder, "data", "secrets", "values.key"), "utf8")).trim();
  expect(text).not.toContain(key);
});

/** POSIX cksum: proves that the step had exactly the value, without showing it. */
function cksum(text: string): number {
  const bytes = [...Buffer.from(text)];
  for (let length = bytes.length; length > 0; length = Math.floor(length / 256)) bytes.push(length % 256);
  let crc = 0;
  for (const byte of bytes) {
    crc = (crc ^ (byte << 24)) >>> 0;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1) >>> 0;
  }
  return ~crc >>> 0;
}
