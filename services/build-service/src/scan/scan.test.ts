import { expect, test } from "vitest";
import { type Advisory, compareVersions, findAdvisories, readPackageLock } from "./lockfile.ts";
import { entropy, findSecrets } from "./secrets.ts";

// Put together here, so that no scanner takes this file for a leak.
const joined = (...parts: string[]): string => parts.join("");

test.each([
  ["aws-access-key", joined("AKIA", "IOSFODNN7EXAMPLE")],
  ["github-token", joined("ghp_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")],
  ["private-key", joined("-----BEGIN RSA ", "PRIVATE KEY-----")],
  ["slack-token", joined("xoxb-", "123456789012-abcdefghijkl")],
  ["stripe-key", joined("sk_live_", "abcdefghijklmnopqrstuvwx")],
  ["password-in-url", joined("postgres://app:", "hunter2hunter2@db/orders")],
  ["high-entropy-literal", joined('const apiKey = "', 'f8Kq2LzP0vXw7RtY3mNb"')],
])("a %s is found, and not repeated in the log", (rule, secret) => {
  const findings = findSecrets(`one\nconst x = 1; ${secret}\n`);

  expect(findings).toMatchObject([{ line: 2, rule }]);
  expect(findings[0]?.hint).not.toContain(secret.slice(8));
});

test.each([
  'const password = "correct horse battery"',
  'token: "your-token-goes-here-1234"',
  "apiKey = process.env.API_KEY",
  joined('url = "https://user:$', '{PASSWORD}@host/"'),
  '"integrity": "sha512-f8Kq2LzP0vXw7RtY3mNbf8Kq2LzP0vXw7RtY3mNb=="',
  joined("AKIA", "IOSFODNN7EXAMPLE // slipway:allow-secret"),
])("no secret is seen in %s", (line) => {
  expect(findSecrets(line)).toEqual([]);
});

test("a line of megabytes is looked at in no time", () => {
  const began = performance.now();
  findSecrets(`${"a:".repeat(1_000_000)}\n${"token='".repeat(200_000)}`);

  expect(performance.now() - began).toBeLessThan(1_000);
});

test("entropy tells chance from words", () => {
  expect(entropy("aaaaaaaa")).toBe(0);
  expect(entropy("abcdefgh")).toBe(3);
});

test("versions are ordered as semantic versioning says", () => {
  const ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"];
  const all = [...ordered, "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"];

  expect([...all].reverse().sort(compareVersions)).toEqual(all);
  expect(compareVersions("1.0.0+a", "1.0.0+b")).toBe(0);
});

test("packages are read from lock files of every version, nested ones too", () => {
  const v3 = {
    lockfileVersion: 3,
    packages: {
      "": { version: "1.0.0" },
      "node_modules/a": { version: "1.0.0" },
      "node_modules/a/node_modules/@x/b": { version: "2.0.0" },
      "packages/own": { version: "9.9.9" },
    },
  };
  const v1 = { dependencies: { a: { version: "1.0.0", dependencies: { "@x/b": { version: "2.0.0" } } } } };
  const expected = [
    { name: "a", version: "1.0.0" },
    { name: "@x/b", version: "2.0.0" },
  ];

  expect(readPackageLock(JSON.stringify(v3))).toEqual(expected);
  expect(readPackageLock(JSON.stringify(v1))).toEqual(expected);
});

const advisory: Advisory = {
  id: "X-1",
  summary: "bad",
  affected: [
    {
      package: { ecosystem: "npm", name: "a" },
      ranges: [{ type: "SEMVER", events: [{ introduced: "1.0.0" }, { fixed: "1.2.0" }, { introduced: "2.0.0" }] }],
      versions: ["0.1.0"],
    },
  ],
};

test.each([
  ["0.1.0", true],
  ["0.9.0", false],
  ["1.0.0", true],
  ["1.1.9", true],
  ["1.2.0", false],
  ["1.9.9", false],
  ["2.0.0-rc.1", false],
  ["2.0.0", true],
  ["99.0.0", true],
])("version %s is affected: %s", (version, affected) => {
  expect(findAdvisories([{ name: "a", version }], [advisory])).toHaveLength(affected ? 1 : 0);
  expect(findAdvisories([{ name: "b", version }], [advisory])).toEqual([]);
});
