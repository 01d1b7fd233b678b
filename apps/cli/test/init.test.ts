import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { slipway, writeTree } from "./slipway.ts";

const examples = fileURLToPath(new URL("../../../examples/", import.meta.url));

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-init-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(`${folder}-home`, { recursive: true, force: true });
});

const fileIn = (path: string) => readFile(join(path, "slipway.yaml"), "utf8");

test("init writes a commented file that is valid, and says what it found, why, and what comes next", async () => {
  await cp(join(examples, "node-web"), join(folder, "My Shop"), { recursive: true });

  const { code, out } = await slipway(folder, "init", "My Shop");

  expect(code).toBe(0);
  expect(out).toMatch(/start: +node src\/server\.js +\(package\.json scripts\.start\)/);
  expect(out).toMatch(/git remote add slipway "http:\/\/deployer:.*\/git\/my-shop\.git"/);
  expect(await fileIn(join(folder, "My Shop"))).toMatch(/^service: my-shop$/m);
  expect(await slipway(folder, "validate", "My Shop")).toMatchObject({
    code: 0,
    out: "slipway.yaml is valid: my-shop, steps install, test, lint, package, scan\n",
  });
});

test("init overwrites nothing unless it is told to, and can print instead", async () => {
  await writeTree(folder, { "slipway.yaml": "mine\n", "index.html": "" });

  const refused = await slipway(folder, "init");
  const printed = await slipway(folder, "init", "--print", "--service", "site");
  expect(await fileIn(folder)).toBe("mine\n");
  const forced = await slipway(folder, "init", "--force");

  expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("is there already. --force overwrites it") });
  expect(printed).toMatchObject({ code: 0, out: expect.stringMatching(/^service: site$/m) });
  expect(forced.code).toBe(0);
  expect(await fileIn(folder)).toContain("uses: static-server");
});

test("init of what is nothing known writes nothing and says what would help", async () => {
  await writeTree(folder, { "package.json": "{\n  nope\n}" });

  const broken = await slipway(folder, "init");
  const json = await slipway(folder, "--json", "init");

  expect(broken).toMatchObject({ code: 1, out: expect.stringMatching(/Nothing was written: package\.json:2:3 /) });
  expect(JSON.parse(json.out)).toMatchObject({ detected: false, remedies: [expect.stringContaining("valid JSON")] });
  await expect(fileIn(folder)).rejects.toThrow("ENOENT");
});

test("without a slipway.yaml, validate checks what would be detected", async () => {
  const { code, out } = await slipway(folder, "validate", join(examples, "go-web"));

  expect(code).toBe(0);
  expect(out).toMatch(
    /there is no slipway\.yaml; detected:[\s\S]*kind: +Go [\s\S]*valid: go-web, steps install, build/,
  );
});
