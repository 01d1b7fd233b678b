import { expect, test } from "vitest";
import { machineTools } from "./carried-tools.ts";
import { rootEntries } from "./minimal-root.ts";
import { bubblewrapArgv, namespacesArgv, type RecipeRequest } from "./recipe.ts";

const hostile = "$(touch /tmp/x); `id` 'quoted' -- --bind / /";
const request: RecipeRequest = {
  asRoot: true,
  uid: 100_000_042,
  stage: "/tmp/stage/root",
  entries: rootEntries({
    workspace: `/data/${hostile}`,
    nodePath: "/home/somebody/node",
    etc: "/tmp/stage/etc",
    mounts: [],
    tmpBytes: 1_024,
    shareNetwork: false,
    home: undefined,
    image: undefined,
  }),
  rlimits: ["--core=0"],
  env: { NAME: hostile },
  command: ["/bin/sh", "-eu", "-c", hostile],
  shareNetwork: false,
  tools: machineTools,
};

const recipes = { bubblewrap: bubblewrapArgv, namespaces: namespacesArgv };

test.each(Object.entries(recipes))("%s: nothing from outside becomes part of a shell text", (_name, recipe) => {
  for (const asRoot of [true, false]) {
    const argv = recipe({ ...request, asRoot });
    const texts = argv.filter((_, index) => argv[index - 1] === "-c" && argv[index - 2] === "-eu");
    expect(texts.length).toBeGreaterThan(0);
    for (const text of texts.slice(0, -1)) expect(text).not.toContain("touch /tmp/x");
    expect(argv.at(-1)).toBe(hostile);
  }
});

test.each(Object.entries(recipes))("%s: as root the step gets its own uid and no privilege", (_name, recipe) => {
  const argv = recipe(request);

  expect(argv).toContain("--reuid=100000042");
  expect(argv).toContain("--clear-groups");
  expect(argv).toContain("--no-new-privs");
  expect(argv).toContain("--bounding-set=-all");
});

test("only the workspace is writable, and no home or data folder is in the root", () => {
  expect(request.entries.filter((entry) => entry.kind === "rw").map((entry) => entry.to)).toEqual(["/workspace"]);
  expect(
    request.entries.map((entry) => entry.to).filter((path) => /^\/(root|home|var|sys|run|srv)/.test(path)),
  ).toEqual([]);
});
