import { describe, expect, test } from "vitest";
import { ignoring } from "../ignore-patterns.ts";
import { leftOut, leftOutOfSite } from "./left-out.ts";

const start = ["node", "src/server.js"];
const app = { "package.json": "{}", "src/server.js": 'import { app } from "./app.js";' };

/** A repository of these files; `[]` where a text is not looked through. */
function view(files: Readonly<Record<string, string | null>>) {
  const all = Object.entries({ ...app, ...files });
  const texts = Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null));
  return { paths: all.map(([path]) => path).sort(), texts };
}

/** What of these files is not in the image. */
function missing(files: Readonly<Record<string, string | null>>, command = start): readonly string[] {
  const whole = view(files);
  return whole.paths.filter(ignoring(leftOut(whole, command).exclude));
}

const usual = {
  ...{
    ".gitignore": "dist",
    ".github/workflows/ci.yml": "on: push",
    Dockerfile: "FROM node",
    ".npmrc": "//x:_authToken=y",
  },
  ...{ "README.md": "# Shop", "CHANGELOG.md": "", LICENSE: "", ".env": "A=1", "views/index.html": "<p>" },
  ...{ "test/app.test.js": "", "test/fixtures/a.json": "{}", "src/price.test.js": "", "src/price.js": "" },
};

describe("what a detected image leaves out", () => {
  test("is the repository's own, its documents and its tests, and nothing else", () => {
    expect(missing(usual)).toEqual(
      [
        ...[".github/workflows/ci.yml", ".gitignore", ".npmrc", "CHANGELOG.md", "Dockerfile", "README.md"],
        ...["src/price.test.js", "test/app.test.js", "test/fixtures/a.json"],
      ].sort(),
    );
  });

  test("names only what is there, and says so beside everything else that was found", () => {
    const { exclude, found } = leftOut(view({ "README.md": "", "tests/test_app.py": "" }), ["python3", "app.py"]);

    expect(exclude).toEqual(["README.md", "tests"]);
    expect(found).toEqual([{ what: "left out", value: "README.md, tests", why: "no code names it: image.exclude" }]);
    expect(leftOut(view({}), start)).toEqual({ exclude: [], found: [], notes: [] });
  });

  test.each([
    ["README.md", `readFileSync("README.md")`],
    ["README.md", "const about = path.join(root, 'readme.md')"],
    ["test/fixtures/a.json", `import data from "../test/fixtures/a.json"`],
    ["test/fixtures/a.json", `path.join(root, "test", name)`],
    ["test/fixtures/a.json", 'load("/app/test/" + name)'],
    ["src/price.test.js", `await import("./price.test.js")`],
  ])("never is %s where code names it: %s", (file, code) => {
    expect(missing({ ...usual, "src/app.js": code })).not.toContain(file);
    expect(leftOut(view({ ...usual, "src/app.js": code }), start).notes[0]).toMatch(
      /is in the image: src\/app.js names it\.$/,
    );
  });

  test.each([
    `if (process.env.NODE_ENV === "test") mock()`,
    `switch (mode) { case "test": break }`,
    "// tests are in another folder",
    "const latest = contest(1)",
  ])("is a folder of tests all the same where code only says the word: %s", (code) => {
    expect(missing({ ...usual, "src/app.js": code })).toContain("test/app.test.js");
  });

  test("is what only the settings of a tool name", () => {
    expect(missing({ ...usual, "vitest.config.ts": `export default { include: ["test/**"] }` })).toContain(
      "test/app.test.js",
    );
  });

  test("is no Python package that code imports", () => {
    const files = { "tests/__init__.py": "", "tests/data.py": "", "shop/test_price.py": "" };
    const run = ["python3", "-m", "gunicorn", "app:app"];

    expect(missing({ ...files, "app.py": "from flask import Flask\n" }, run)).toContain("tests/data.py");
    expect(missing({ ...files, "app.py": "from tests import data\n" }, run)).not.toContain("tests/data.py");
    expect(missing({ ...files, "app.py": "" }, run)).toContain("shop/test_price.py");
  });

  test("is nothing that takes a look at the code where there is more of it than was looked through", () => {
    const files = { ...usual, "src/deep/more.tsx": null };

    expect(missing(files)).toEqual([".github/workflows/ci.yml", ".gitignore", ".npmrc", "Dockerfile"].sort());
    expect(leftOut(view(files), start).notes).toContain(
      "README.md is in the image: there is more code than is looked through.",
    );
    const further = { "src/deep/more.tsx": "export {}" };
    expect(leftOut({ ...view(files), further }, start).exclude).toContain("README.md");
  });
});

describe("a .dockerignore", () => {
  test("says what is left out as it says it to Docker, after everything else, so that ! takes that back", () => {
    const files = { ...usual, ".dockerignore": "# not for production\nviews\n!README.md\n" };

    expect(missing(files)).toEqual(expect.arrayContaining(["views/index.html", ".dockerignore", "CHANGELOG.md"]));
    expect(missing(files)).not.toContain("README.md");
  });

  test("takes away nothing that the start line names, nor what tells Node how to read it", () => {
    expect(missing({ ...usual, ".dockerignore": "*\n!dist\n" })).not.toEqual(
      expect.arrayContaining(["src/server.js", "package.json"]),
    );
    expect(missing({ ...usual, ".dockerignore": "*\n" })).toContain("src/price.js");
    const python = missing({ "app.py": "", ".dockerignore": "*.py\n" }, ["python3", "-m", "gunicorn", "app:app"]);
    expect(python).toEqual([".dockerignore"]);
  });
});

test("of a site that is served as it lies there only what tools need is left out", () => {
  const whole = view({ "index.html": "", "README.md": "", "test/a.html": "", ".gitignore": "" });

  expect(leftOutOfSite(whole).exclude).toEqual([".git*"]);
});
