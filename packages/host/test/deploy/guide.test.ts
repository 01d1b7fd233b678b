import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { variablesOfFiles } from "../../src/config-files.ts";
import { readConfig } from "../../src/index.ts";
import { knownVariables, read, readYaml, root, variablesIn } from "./tree.ts";

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

/** Each list of regions that a text shows, as somebody copies it. */
const regionLists = ["README.md", "deploy/regions/README.md", "docs/guides/operating.md"].flatMap((path) =>
  [...read(path).matchAll(/^( *)```yaml\n((?:.*\n)*?)\1```$/gm)].flatMap(([, indent = "", text = ""]) =>
    /^ *- name: .*\n +kubeconfig:/.test(text)
      ? [{ path, text: text.replaceAll(new RegExp(`^${indent}`, "gm"), "") }]
      : [],
  ),
);

test("the regions files that are shown are taken as they stand", () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-guide-"));
  const file = join(folder, "regions.yaml");
  try {
    for (const { path, text } of regionLists) {
      writeFileSync(file, text);
      expect(readConfig({ SLIPWAY_REGIONS: file }).regions.kind, path).toBe("file");
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(regionLists.map(({ path }) => path)).toEqual(
    expect.arrayContaining(["README.md", "deploy/regions/README.md", "docs/guides/operating.md"]),
  );
});

test("the guide has a line for each field of the regions file and for each parameter of a backend's URL", () => {
  const fieldsOf = (path: string) =>
    [...read(path).matchAll(/^ {2}([a-z_]+): (?:z|RegionNameSchema)\b/gm)].map(([, name]) => name);
  const fields = fieldsOf("packages/host/src/regions.ts");
  const [, names = ""] = /^const known = new Set\(\[(.*)\]\)/m.exec(read("packages/objects/src/s3-place.ts")) ?? [];
  const [, mechanisms = ""] = /^const mechanisms = \[(.*)\]/m.exec(read("packages/bus/src/kafka/address.ts")) ?? [];
  const inQuotes = (text: string) => [...text.matchAll(/"([^"]+)"/g)].map(([, name]) => name);
  const parameters = ["sslmode", ...fieldsOf("packages/bus/src/kafka/address.ts"), ...inQuotes(names)];

  expect(fields.filter((name) => !new RegExp(`^ *\\| \`${name}\` +\\| *(required)? *\\|`, "m").test(guide))).toEqual(
    [],
  );
  expect(fields.length).toBeGreaterThan(7);
  expect(parameters).toEqual(["sslmode", "sasl", "replication", "prefix", "endpoint", "region"]);
  expect(parameters.filter((name) => !new RegExp(`^\\|.*\`${name}=`, "m").test(guide))).toEqual([]);
  expect(inQuotes(mechanisms).filter((name) => !new RegExp(`^\\|.*sasl=.*\\b${name}\\b`, "m").test(guide))).toEqual([]);
});

test("what the steps of the installation take was made by one before: folders that are mounted, Secrets that the chart is told of", () => {
  const mounted = [...guide.matchAll(/docker run .*-v "\$PWD\/([a-z]+):/g)].map(({ 1: name, index }) => [
    name,
    guide.slice(0, index).includes(`mkdir -p ${name} `),
  ]);
  const { secrets } = z
    .object({ secrets: z.record(z.string(), z.string()) })
    .parse(readYaml("deploy/helm/slipway/values.yaml"));
  const told = [...guide.matchAll(/\b[a-z]+Secret: ([a-z-]+)/g)].map(([, name]) => name);
  const made = [...guide.matchAll(/kubectl create secret (?:generic|tls) ([a-z-]+)/g)].map(([, name]) => name);

  expect(mounted.length).toBeGreaterThan(0);
  for (const one of mounted) expect(one).toEqual(["credentials", true]);
  expect(told).toEqual(expect.arrayContaining(["slipway-tls", "slipway-renewers"]));
  expect([...Object.values(secrets), ...told].filter((name) => !made.includes(name))).toEqual([]);
});

test("wherever it is said with what nodes pull, so is how pods are given it", () => {
  for (const path of ["README.md", "deploy/regions/README.md", "docs/guides/operating.md"]) {
    expect(read(path), path).toContain("`pull_secret`");
    expect(read(path), path).not.toMatch(/nothing puts it/);
  }
});
