import type { ServiceName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { parseSlipwayYaml } from "../slipway-yaml.ts";
import { detectFile, detectionLines } from "./detect-file.ts";

function fileOf(texts: Readonly<Record<string, string>>) {
  const found = detectFile({ paths: Object.keys(texts).sort(), texts }, "shop" as ServiceName);
  if (found.kind === "undetected") throw new Error(found.problem);
  const parsed = parseSlipwayYaml(found.text);
  if (parsed.kind === "errors") throw new Error("it has errors");
  return { ...parsed.file, said: detectionLines(found).join("\n") };
}

const app = "from fastapi import FastAPI\nfrom shop.db import NAME\n\napp = FastAPI()\n";
const project = '[project]\nname = "shop"\ndependencies = ["fastapi", "uvicorn"]\n';
const layout = {
  "pyproject.toml": project,
  "src/shop/__init__.py": "",
  "src/shop/db.py": 'NAME = "a"\n',
  "src/shop/main.py": app,
  "tests/test_shop.py": "import unittest\n\nfrom shop.db import NAME\n",
};

test.each(["uv.lock", "poetry.lock"])(
  "packages in src of a project with a %s are found by their own names, by the service and by its tests",
  (lock) => {
    const file = fileOf({ ...layout, [lock]: "" });

    expect(file.image.command).toContain("shop.main:app");
    expect(file.image.env).toMatchObject({ PYTHONPATH: "/app/.python-packages:/app/src" });
    expect(file.pipeline.test?.env).toMatchObject({ PYTHONPATH: expect.stringMatching(/:src$/) });
  },
);

test("a project that pip installs as a whole has its packages among the others", () => {
  const file = fileOf(layout);

  expect(file.pipeline.install?.run).toMatch(/ \.$/);
  expect(file.image.command).toContain("src.shop.main:app");
  expect(file.image.env).toMatchObject({ PYTHONPATH: "/app/.python-packages" });
});

test.each([
  ["is imported by its name", { "src/shop/main.py": app.replace("from shop", "from src.shop") }],
  ["is reached by a relative import", { "src/shop/main.py": app.replace("shop.db", "..db"), "src/db.py": "" }],
  ["has an __init__.py", { "src/__init__.py": "" }],
])("a folder src that %s is a package itself", (_what, files) => {
  const file = fileOf({ ...layout, "tests/test_shop.py": "", "uv.lock": "", ...files });

  expect(file.image.command).toContain("src.shop.main:app");
  expect(file.image.env).toMatchObject({ PYTHONPATH: "/app/.python-packages" });
});

test("modules in src that import each other by name are found, and one alone starts as it did", () => {
  const main = { "requirements.txt": "fastapi\nuvicorn\n", "src/main.py": "from db import NAME\napp = FastAPI()\n" };

  expect(fileOf({ ...main, "src/db.py": "" }).image.command).toContain("main:app");
  expect(fileOf(main).image.command).toContain("src.main:app");
});

const groups = {
  group:
    '\n[dependency-groups]\nlint = ["ruff"]\ndev = [\n  # runs them\n  "pytest[x]>=8; python_version > \'3\'",\n  "ruff",\n]\n',
  extra: '\n[project.optional-dependencies]\ntest = ["pytest>=8", "httpx[http2]"]\n',
  poetry: '\n[tool.poetry.group.dev.dependencies]\npytest = "^8"\n',
};
const tests = { "tests/test_shop.py": "def test_it(): pass\n" };

test.each([
  ["uv.lock", groups.group, /uv export --frozen --only-group dev /],
  ["uv.lock", groups.extra, /uv export --frozen --no-dev --extra test /],
  ["poetry.lock", groups.poetry, /poetry export --only dev /],
  ["poetry.lock", groups.extra, /poetry export --extras test /],
  ["README.md", groups.group, /--target \.python-test-packages 'pytest\[x\]>=8; python_version > '"'"'3'"'"'' 'ruff'$/],
  ["README.md", groups.extra, /--target \.python-test-packages 'pytest>=8' 'httpx\[http2\]'$/],
])("with %s the group of pyproject.toml that has pytest is installed for the tests: %s", (lock, group, run) => {
  const { pipeline, said } = fileOf({ ...layout, ...tests, [lock]: "", "pyproject.toml": project + group });

  expect(pipeline["test-packages"]?.run).toMatch(run);
  expect(pipeline.test).toMatchObject({ run: "python3 -m pytest", needs: ["install", "test-packages"] });
  expect(said).toMatch(/test packages: +pip install +\((dev|test) of .* in pyproject\.toml\)/);
});

test("a group that nothing here can install does not count as installed, and the note names where pytest may stand", () => {
  const { pipeline, said } = fileOf({ ...layout, ...tests, "pyproject.toml": project + groups.poetry });

  expect(pipeline).not.toHaveProperty("test");
  expect(said).toContain("no pytest in a group of pyproject.toml or in requirements-dev.txt");
});

test("a project of poetry that is no package and has no lock file is refused with what to commit", () => {
  const files = { ...layout, "pyproject.toml": `${project}\n[tool.poetry]\npackage-mode = false\n` };
  const detect = (more: Readonly<Record<string, string>>) => {
    const texts = { ...files, ...more };
    return detectFile({ paths: Object.keys(texts).sort(), texts }, "shop" as ServiceName);
  };

  expect(detect({})).toMatchObject({
    kind: "undetected",
    problem: expect.stringContaining("no poetry.lock"),
    remedies: [expect.stringContaining("poetry lock")],
  });
  expect(detect({ "poetry.lock": "" })).toMatchObject({ kind: "detected" });
});
