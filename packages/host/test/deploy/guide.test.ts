import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { variablesOfFiles } from "../../src/config-files.ts";
import { knownVariables, read, root, variablesIn } from "./tree.ts";

const guide = read("docs/guides/operating.md");

test("the guide names every variable that a service reads, and none that is not", () => {
  const files: ReadonlySet<string> = new Set(variablesOfFiles.map((name) => `${name}_FILE`));
  const known = [...knownVariables()].filter((name) => !files.has(name));
  // Of the command line.
  const named = new Set(variablesIn(guide).filter((name) => name !== "SLIPWAY_TOKEN"));

  expect(known.filter((name) => !named.has(name))).toEqual([]);
  expect([...named].filter((name) => !known.includes(name))).toEqual([]);
});

test("the guide marks those that may stand in a file", () => {
  const marked = [...guide.matchAll(/`(SLIPWAY_[A-Z_]+)` °/g)].map(([, name]) => name);

  expect(marked.sort()).toEqual([...variablesOfFiles].sort());
});

test("what the guide leads to is there", () => {
  const links = [...guide.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, path = ""]) =>
    resolve(root, "docs/guides", path),
  );
  const paths = (guide.match(/(?:deploy|bench)\/[A-Za-z0-9._/-]+/g) ?? []).map((path) =>
    join(root, path.replace(/[./]$/, "")),
  );

  for (const path of [...links, ...paths.filter((one) => !/deploy\/slipway-/.test(one))])
    expect(existsSync(path), path).toBe(true);
});
