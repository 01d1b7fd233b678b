import { expect, test } from "vitest";
import { matchKeyOfText, parseRepositoryUrl } from "./repository-url.ts";

test.each([
  ["https://github.com/acme/orders.git", "https", "github.com/acme/orders"],
  ["https://GitHub.com/acme/orders/", "https", "github.com/acme/orders"],
  ["http://127.0.0.1:7400/git/orders.git", "http", "127.0.0.1:7400/git/orders"],
  ["git@github.com:acme/orders.git", "ssh", "github.com/acme/orders"],
  ["ssh://git@github.com/acme/orders", "ssh", "github.com/acme/orders"],
])("%s is a repository over %s", (text, scheme, matchKey) => {
  expect(parseRepositoryUrl(text, false)).toMatchObject({ scheme, matchKey });
});

test.each([
  "ext::sh -c touch% /tmp/x",
  "--upload-pack=touch /tmp/x",
  "file:///root/repository",
  "/root/repository",
  "../repository",
  "fd::7",
  "git://github.com/acme/orders",
  "ftp://github.com/acme/orders",
  "https://github.com/",
  "https://github.com/acme/orders\n--x",
  "ssh://-oProxyCommand=touch/x",
  "https://github.com/acme/orders?x=1",
  "",
])("%j is refused", (text) => {
  expect(parseRepositoryUrl(text, false)).toHaveProperty("problem");
});

test("a file URL is a repository only where it is allowed", () => {
  expect(parseRepositoryUrl("file:///srv/orders.git", true)).toMatchObject({ scheme: "file", matchKey: "/srv/orders" });
});

test("a repository over ssh is refused where there is no ssh, whichever way it is written", () => {
  for (const url of ["git@github.com:acme/orders.git", "ssh://git@github.com/acme/orders"])
    expect(parseRepositoryUrl(url, false, false)).toEqual({ problem: expect.stringMatching(/no ssh .* https URL/) });
  expect(parseRepositoryUrl("https://github.com/acme/orders", false, false)).toHaveProperty("url");
});

test("credentials are taken out of the URL", () => {
  const parsed = parseRepositoryUrl("https://build:p%40ss@git.example.com/orders.git", false);

  expect(parsed).toMatchObject({
    url: "https://git.example.com/orders.git",
    credentials: { username: "build", password: "p@ss" },
  });
});

test("a webhook's spellings of a repository have one key", () => {
  const spellings = ["https://h/a/b.git", "git@h:a/b.git", "git://h/a/b.git", "https://h/a/b", "https://x:y@h/a/b"];

  expect(new Set(spellings.map(matchKeyOfText))).toEqual(new Set(["h/a/b"]));
  expect(matchKeyOfText("nonsense")).toBeUndefined();
});
