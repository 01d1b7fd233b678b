import type { ServiceName } from "@slipway/kernel";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseSlipwayYaml } from "../slipway-yaml.ts";
import { detectFile, detectionLines } from "./detect-file.ts";
import { type RepositoryView, worthReading } from "./repository-view.ts";

const shop = "shop" as ServiceName;

/** A repository out of its files; what detection would not read has no text. */
function repository(files: Readonly<Record<string, string>>): RepositoryView {
  const paths = Object.keys(files).sort();
  return { paths, texts: Object.fromEntries(worthReading(paths).map((path) => [path, files[path] ?? ""])) };
}

function fileOf(files: Readonly<Record<string, string>>, where: { readonly buildsDockerfiles?: boolean } = {}) {
  const found = detectFile(repository(files), shop, where);
  if (found.kind === "undetected") throw new Error(`${found.problem}\n${found.remedies.join("\n")}`);
  const parsed = parseSlipwayYaml(found.text, shop);
  if (parsed.kind === "errors") throw new Error("it has errors");
  return { ...parsed.file, said: detectionLines(found).join("\n") };
}

function textOf(files: Readonly<Record<string, string>>): string {
  const found = detectFile(repository(files), shop);
  if (found.kind === "undetected") throw new Error(found.problem);
  return found.text;
}

function problemOf(files: Readonly<Record<string, string>>): string {
  const found = detectFile(repository(files), shop);
  if (found.kind === "detected") throw new Error(`it was detected:\n${found.text}`);
  return [found.problem, ...found.remedies].join("\n");
}

const json = (value: object) => JSON.stringify(value);
const start = (line: string) => json({ scripts: { start: line } });

test("a Node service with tests, a build and development packages is built whole and runs without them", () => {
  const file = fileOf({
    "package.json": json({
      scripts: { start: "node dist/server.js", build: "tsc", test: "vitest run", lint: "eslint ." },
      dependencies: { fastify: "5" },
      devDependencies: { typescript: "5", vitest: "4", eslint: "9" },
    }),
    "package-lock.json": "{}",
    "src/server.ts": 'app.get("/health", ok)',
  });

  expect(file.pipeline).toMatchObject({
    install: { network: "registries", run: expect.stringMatching(/^npm ci /) },
    build: { needs: ["install"], network: "none" },
    test: { needs: ["build"] },
    lint: { needs: ["install"] },
    package: { needs: ["build"], run: expect.stringContaining("--omit=dev") },
    scan: { uses: "security-scan" },
  });
  expect(file.image).toMatchObject({ base: "node24", from: "package", command: ["node", "dist/server.js"] });
  expect(file.workload.ready.path).toBe("/health");
  expect(file.said).toContain("start:    node dist/server.js   (package.json scripts.start)");
});

test.each([
  ["node server.js", ["node", "server.js"], {}],
  [
    "NODE_ENV=test PORTS='1 2' exec node --enable-source-maps server.js",
    ["node", "--enable-source-maps", "server.js"],
    { NODE_ENV: "test", PORTS: "1 2" },
  ],
  ["npm run serve", ["node", "other.js", "a b"], {}],
  ["next start", ["node", "node_modules/.bin/next", "start"], {}],
  ["npx next start", ["node", "node_modules/.bin/next", "start"], {}],
])("the start script %s is the process itself", (line, command, env) => {
  const file = fileOf({
    "package.json": json({ scripts: { start: line, serve: 'node other.js "a b"' }, dependencies: { next: "15" } }),
  });

  expect(file.image.command).toEqual(command);
  expect(file.image.env).toMatchObject(env);
});

test("a port in the words of a start is filled in when the process starts, without a shell", () => {
  const { command } = fileOf({ "package.json": start("node server.js --port $PORT") }).image;

  expect(command?.slice(0, 3)).toEqual(["node", "--no-warnings", "-e"]);
  expect(command?.slice(4)).toEqual(["node", "server.js", "--port", "$PORT"]);
});

test.each([
  "node migrate.js && node server.js",
  "node server.js | tee log",
  "node $(cat main)",
  `node server.js --port \${PORT:-3000}`,
  "node 'unfinished",
])("a start that only a shell understands is refused, and says what would do: %s", (line) => {
  expect(problemOf({ "package.json": start(line) })).toMatch(/needs a shell[\s\S]*image\.base that has a shell/);
});

test("what starts from a development package keeps those packages in the image", () => {
  const file = fileOf({
    "package.json": json({ scripts: { start: "tsx src/server.ts" }, devDependencies: { tsx: "4" } }),
    "package-lock.json": "{}",
  });

  expect(file.image).toMatchObject({ from: "install", command: ["node", "node_modules/.bin/tsx", "src/server.ts"] });
});

test.each([
  ["pnpm-lock.yaml", /pnpm@9\.1\.0 install --frozen-lockfile/, { packageManager: "pnpm@9.1.0" }],
  [
    "yarn.lock",
    /sed -i "s#\$\(npx --yes yarn@1\.22\.22 config get registry\)\/#.*yarn@1\.22\.22 install --frozen-lockfile/,
    {},
  ],
  ["yarn.lock", /@yarnpkg\/cli-dist@4\.5\.0 install --immutable/, { packageManager: "yarn@4.5.0+sha224.abc" }],
])("packages are installed by the lock file %s", (lock, run, own) => {
  const file = fileOf({
    "package.json": json({ ...own, main: "index.js", dependencies: { a: "1" } }),
    "index.js": "",
    [lock]: "",
  });

  expect(file.pipeline.install).toMatchObject({ run: expect.stringMatching(run), cache: { key: [lock] } });
});

test("packages without a lock file are installed, and it is said that no two builds need be alike", () => {
  const { pipeline, said } = fileOf({
    "package.json": json({ main: "index.js", dependencies: { a: "1" } }),
    "index.js": "",
  });

  expect(pipeline.install?.run).toMatch(/^npm install /);
  expect(said).toContain("note: There is no lock file");
});

test("the file says of its packages that they are as the lock file has them only where there is one", () => {
  const own = { "package.json": json({ main: "index.js", dependencies: { a: "1" } }), "index.js": "" };

  expect(textOf({ ...own, "package-lock.json": "{}" })).toContain("# All packages, exactly as the lock file has them.");
  expect(textOf(own)).toMatch(/# All packages, .*there is no lock file\./);
  expect(textOf(own)).not.toContain("as the lock file has them");
});

test.each([
  ["pnpm-lock.yaml", { prepare: "husky" }, true],
  ["pnpm-lock.yaml", { postinstall: "patch-package" }, true],
  ["pnpm-lock.yaml", { lint: "eslint ." }, false],
  ["yarn.lock", { prepare: "husky" }, true],
])(
  "by %s with the scripts %j development packages are removed without the project's own scripts",
  (lock, scripts, ignored) => {
    const { pipeline } = fileOf({
      "package.json": json({ main: "index.js", scripts, dependencies: { a: "1" }, devDependencies: { husky: "9" } }),
      ...{ "index.js": "", [lock]: "" },
    });

    expect(pipeline.install?.run).not.toContain("--ignore-scripts");
    expect(pipeline.package?.run?.includes(" --ignore-scripts")).toBe(ignored);
  },
);

test("in a workspace of pnpm no script runs when development packages are removed, whichever package it belongs to", () => {
  const { pipeline } = fileOf({
    "package.json": json({ main: "index.js", devDependencies: { husky: "9" } }),
    ...{ "index.js": "", "pnpm-lock.yaml": "", "pnpm-workspace.yaml": "" },
  });

  expect(pipeline.package?.run).toContain("--ignore-scripts");
});

test("an engine that the base is not is told", () => {
  const said = (node: string) =>
    fileOf({ "package.json": json({ scripts: { start: "node a.js" }, engines: { node } }) }).said;

  expect(said(">=18 <23")).toContain("image.base");
  expect(said(">=18")).not.toContain("image.base");
});

test.each([
  ['{\n  "scripts": {\n    "start": "node a.js",\n  }\n}', "package.json:4:3"],
  ['{ "name": "x" ', "package.json:1:15"],
  ['{ "scripts": { "start": 7 } }', "package.json:1:1 scripts.start"],
])("a broken package.json is told with its place", (text, place) => {
  expect(problemOf({ "package.json": text })).toContain(place);
});

test("the root of a monorepo without a start asks which package is the service", () => {
  const problem = problemOf({
    "package.json": json({ workspaces: ["packages/*"] }),
    "packages/api/package.json": start("node server.js"),
  });

  expect(problem).toMatch(
    /root of a monorepo \(packages\/\*\)[\s\S]*Procfile with web: node packages\/api\/server\.js/,
  );
});

test("a Procfile of Windows comes before the start script", () => {
  const file = fileOf({
    "package.json": start("node a.js"),
    Procfile: "worker: node w.js\r\nweb: node b.js --fast\r\n",
  });

  expect(file.image.command).toEqual(["node", "b.js", "--fast"]);
  expect(file.said).toContain("(Procfile web:)");
});

test("a Flask app is served by the gunicorn that it lists, with its packages in a folder of the image", () => {
  const file = fileOf({
    "requirements.txt": "flask==3.1.2\ngunicorn==23.0.0\n",
    "app.py": 'from flask import Flask\n\nweb = Flask(__name__)\n\n@web.get("/healthz")\n',
    "tests/test_app.py": "import unittest\n",
  });

  expect(file.image).toMatchObject({
    base: "python3",
    from: "install",
    command: ["python3", "-m", "gunicorn", "app:web"],
    env: { PYTHONPATH: "/app/.python-packages" },
  });
  expect(file.pipeline.test?.run).toBe("python3 -m unittest discover -s tests -v");
});

test.each([
  ["all of it pinned", "flask==3.1.2\ngunicorn[gevent] == 23.0.0 ; python_version > '3'\n# why\n", true],
  [
    "pinned with hashes",
    "flask==3.1.2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\ngunicorn==23.0.0 --hash=sha256:02\n",
    true,
  ],
  ["a version open", "flask==3.1.2\ngunicorn>=23\n", false],
  ["a version half open", "flask==3.*\ngunicorn==23.0.0\n", false],
  ["another file's packages", "flask==3.1.2\ngunicorn==23.0.0\n-r more.txt\n", false],
  ["a package of the repository itself", "flask==3.1.2\ngunicorn==23.0.0\n-e .\n", false],
])(
  "of a requirements.txt with %s the installed folder is kept by its content, or pip's cache is",
  (_what, requirements, folder) => {
    const { install } = fileOf({
      "requirements.txt": requirements,
      "app.py": "from flask import Flask\nweb = Flask(__name__)\n",
    }).pipeline;

    expect(install?.cache).toEqual({
      key: ["requirements.txt"],
      paths: [folder ? ".python-packages" : "~/.cache/pip"],
    });
    expect(install?.run?.startsWith("[ -d .python-packages ] || ")).toBe(folder);
  },
);

test("a FastAPI app gets its port from the environment", () => {
  const { command } = fileOf({
    "requirements.txt": "fastapi==1\nuvicorn==1\n",
    "src/main.py": "app = FastAPI()\n",
  }).image;

  expect(command?.slice(3)).toEqual([
    "python3",
    "-m",
    "uvicorn",
    "src.main:app",
    "--host",
    "0.0.0.0",
    "--port",
    "$PORT",
  ]);
});

test("Django, poetry, pytest and ruff are known", () => {
  const file = fileOf({
    "manage.py": "",
    "shop/wsgi.py": "application = get_wsgi_application()",
    "pyproject.toml": '[project]\ndependencies = ["django", "gunicorn"]\n',
    "poetry.lock": "",
    "requirements-dev.txt": "pytest==8\nruff==1\n",
    "tests/test_shop.py": "def test_it(): pass\n",
  });

  expect(file.pipeline).toMatchObject({
    install: { run: expect.stringContaining("poetry export") },
    test: { needs: ["install", "test-packages"], run: "python3 -m pytest" },
    lint: { run: expect.stringContaining("ruff check") },
  });
  expect(file.image.command).toEqual(["python3", "-m", "gunicorn", "shop.wsgi:application"]);
});

test("a Procfile's gunicorn with a port in it needs no shell", () => {
  const { command } = fileOf({
    "requirements.txt": "",
    Procfile: `web: gunicorn wsgi:app --bind 0.0.0.0:\${PORT}\n`,
  }).image;

  expect(command?.slice(3)).toEqual(["python3", "-m", "gunicorn", "wsgi:app", "--bind", `0.0.0.0:\${PORT}`]);
});

test("Python without a service says so, and names the Procfile", () => {
  expect(problemOf({ "requirements.txt": "requests==2\n", "script.py": "print(1)\n" })).toMatch(
    /no Flask[\s\S]*Procfile/,
  );
});

test("a Go service is one static binary of its main package", () => {
  const file = fileOf({
    "go.mod": "module example.com/shop\n\ngo 1.22\n\nrequire github.com/go-chi/chi/v5 v5.2.3\n",
    "go.sum": "",
    "cmd/shop/main.go": "package main\n\nfunc main() {}\n",
    "cmd/tool/main.go": "package main\n",
    "internal/a_test.go": "package internal\n",
    "templates/a.html": "",
  });

  expect(file.pipeline.build).toMatchObject({
    run: expect.stringMatching(/ \.\/cmd\/shop$/),
    env: { CGO_ENABLED: "0" },
  });
  expect(file.pipeline.build?.network).toBe("none");
  expect(file.image).toMatchObject({ base: "static", copy: ["bin/server", "templates"], command: ["/app/bin/server"] });
});

test("several Go programs of which none is the service are asked about", () => {
  const files = { "go.mod": "module x\n", "cmd/a/main.go": "package main\n", "cmd/b/main.go": "package main\n" };

  expect(problemOf(files)).toMatch(/several programs \(\.\/cmd\/a, \.\/cmd\/b\)/);
  expect(fileOf({ ...files, "cmd/server/main.go": "package main\n" }).pipeline.build?.run).toMatch(/cmd\/server$/);
});

test("a Go module of packages alone says what is missing", () => {
  expect(problemOf({ "go.mod": "module x\n", "x.go": "package x\n" })).toMatch(/no package main/);
});

test.each([
  [{ "index.html": "" }, ["."], "."],
  [{ "public/index.html": "", "README.md": "" }, ["public", "slipway-static-server.mjs"], "public"],
])("a site that lies there is served by the static server", (files, copy, folder) => {
  const file = fileOf(files);

  expect(file.image).toMatchObject({ from: "site", copy, command: ["node", "slipway-static-server.mjs", folder] });
});

test("a site that is built is served from where its builder leaves it", () => {
  const file = fileOf({
    "package.json": json({ scripts: { build: "vite build", dev: "vite" }, devDependencies: { vite: "7" } }),
    "package-lock.json": "{}",
    "index.html": "",
  });

  expect(file.pipeline.site).toMatchObject({ needs: ["build"], uses: "static-server" });
  expect(file.image.command).toEqual(["node", "slipway-static-server.mjs", "dist"]);
});

test("a service in one language with the tools of another is that service", () => {
  const python = { "requirements.txt": "flask==3\ngunicorn==1\n", "app.py": "app = Flask(__name__)\n" };

  expect(fileOf({ ...python, "package.json": json({ devDependencies: { tailwindcss: "4" } }) }).image.base).toBe(
    "python3",
  );
  expect(problemOf({ ...python, "package.json": start("node server.js") })).toMatch(
    /node or in python[\s\S]*Procfile, e\.g\. web:/,
  );
  expect(fileOf({ ...python, "package.json": start("node s.js"), Procfile: "web: node s.js\n" }).image.base).toBe(
    "node24",
  );
});

test("a Dockerfile alone is not built where there is no BuildKit, and what can be done is said", () => {
  const problem = problemOf({ Dockerfile: "FROM nginx\nEXPOSE 8080\n" });

  expect(problem).toMatch(/it exposes 8080.*built on Kubernetes, where there is BuildKit/);
  expect(problem).toMatch(/slipway artifacts add IMAGE@DIGEST .*image\.base for your FROM line/);
  expect(problem).toMatch(/uses: dockerfile, network: registries/);
});

test("where Dockerfiles are built, one is used that nothing else stands beside, under either of its names", () => {
  const where = { buildsDockerfiles: true };
  const file = fileOf({ Dockerfile: "FROM nginx\nEXPOSE 8080\n" }, where);

  expect(file.pipeline).toMatchObject({
    scan: { uses: "security-scan" },
    container: { uses: "dockerfile", network: "registries", timeout: 1_200_000 },
  });
  expect(file.image).toMatchObject({ from: "container" });
  expect(file.said).toMatch(/Dockerfile: +Dockerfile +\(nothing else says how to build it\)/);
  expect(file.said).toMatch(/the Dockerfile exposes 8080/);
  const other = fileOf({ Containerfile: "FROM nginx\n", "package.json": "{}" }, where);
  expect(other.pipeline.container).toMatchObject({ dockerfile: { path: "Containerfile" } });
});

test("a service that is detected is built by its steps although it has a Dockerfile that could be built", () => {
  const server = { "package.json": start("node server.js"), "server.js": "", Dockerfile: "FROM node\n" };

  expect(fileOf(server, { buildsDockerfiles: true }).pipeline).not.toHaveProperty("container");
});

test("a Dockerfile beside a service that is detected is told of, with the port that it exposes", () => {
  const server = { "package.json": start("node server.js"), "server.js": "" };

  const { said } = fileOf({ ...server, Dockerfile: "FROM node\nEXPOSE 3000\n" });

  expect(said).toMatch(/Dockerfile: +not used/);
  expect(said).toMatch(/port: +the one in \$PORT +\(the Dockerfile exposes 3000: the service must not insist on it\)/);
  expect(fileOf({ ...server, Dockerfile: "FROM node\n" }).said).not.toContain("port:");
});

test("an empty repository, and one whose service lies deeper, say what would make them work", () => {
  expect(problemOf({ "README.md": "" })).toMatch(/Node: package\.json[\s\S]*Python: [\s\S]*Go: /);
  expect(problemOf({ "api/package.json": start("node a.js") })).toContain("git subtree push --prefix api slipway main");
});

test.each(["__proto__", "constructor", "toString"])(
  "a start command that is called %s is a program like any other",
  (word) => {
    const python = detectFile(repository({ "app.py": "app = Flask(__name__)", Procfile: `web: ${word}` }), shop);
    const packageJson = JSON.stringify({ scripts: { start: `npm run ${word}` } });
    const node = detectFile(repository({ "package.json": packageJson, "index.js": "" }), shop);

    for (const { text } of [python, node].flatMap((found) => ("text" in found ? [found] : []))) {
      expect(parseSlipwayYaml(text)).toMatchObject({ kind: "file" });
      expect(text).not.toContain("[object");
    }
  },
);

test("whatever the files hold, detection answers, and what it writes is a valid slipway.yaml", () => {
  const line = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[a-z $"'={}&./:#-]{0,40}$/),
    fc.constantFrom("node a.js", "npm start", "gunicorn a:b"),
  );
  const files = fc.record(
    {
      "package.json": fc.oneof(
        line,
        fc
          .record(
            { scripts: fc.dictionary(fc.constantFrom("start", "build", "test"), line), main: line },
            { requiredKeys: [] },
          )
          .map(json),
      ),
      Procfile: line.map((text) => `web: ${text}`),
      "requirements.txt": line,
      "app.py": fc.constantFrom("app = Flask(__name__)", "print(1)"),
      "go.mod": line,
      "main.go": fc.constantFrom("package main\n", "package x\n"),
      "index.html": fc.constant(""),
    },
    { requiredKeys: [] },
  );

  fc.assert(
    fc.property(files, (some) => {
      const found = detectFile(repository(some), shop);
      if (found.kind === "undetected") expect(found.remedies.length).toBeGreaterThan(0);
      else expect(parseSlipwayYaml(found.text, shop).kind).toBe("file");
    }),
  );
});
