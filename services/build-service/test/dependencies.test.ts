import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRepository } from "./git-repository.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

/** Dependencies from the registries that are set up on this machine: the one thing that no test of ours can stand in for. */
type Kind = {
  readonly name: string;
  /** Reaches the registry as the machine does. */
  readonly ask: readonly [string, ...string[]];
  readonly files: Readonly<Record<string, string>>;
  readonly step: string;
  readonly image: string;
};

const lock = {
  name: "small",
  lockfileVersion: 3,
  requires: true,
  packages: {
    "": { name: "small", dependencies: { "left-pad": "1.3.0" } },
    "node_modules/left-pad": {
      version: "1.3.0",
      integrity: "sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA==",
    },
  },
};

const kinds: readonly Kind[] = [
  {
    name: "npm",
    ask: ["npm", "view", "left-pad@1.3.0", "version"],
    files: {
      "package.json": JSON.stringify({ name: "small", dependencies: { "left-pad": "1.3.0" } }),
      "package-lock.json": JSON.stringify(lock),
    },
    step: `{ run: "npm ci && node -e 'require(\\"left-pad\\")'", network: registries, cache: { key: [package-lock.json], paths: [~/.npm] } }`,
    image: "{ copy: [node_modules, package.json], command: [node, main.js] }",
  },
  {
    name: "pip",
    ask: ["pip3", "download", "--no-deps", "--dest", "here", "six==1.16.0"],
    files: { "requirements.txt": "six==1.16.0\n", "main.py": "import six\n" },
    // The folder itself is kept: what pip keeps in its cache is for the index to allow.
    step: `{ run: "[ -d vendor ] || pip3 install --target vendor -r requirements.txt; PYTHONPATH=vendor python3 main.py; [ ! -e vendor/__pycache__ ]", network: registries, cache: { key: [requirements.txt], paths: [vendor] } }`,
    image: "{ base: python3, copy: [vendor, main.py], command: [python3, main.py], env: { PYTHONPATH: /app/vendor } }",
  },
  {
    name: "go",
    ask: ["go", "list", "-m", "github.com/google/uuid@v1.6.0"],
    files: { "go.mod": "module small\n\ngo 1.21\n\nrequire github.com/google/uuid v1.6.0\n" },
    // Not compiled: the standard library alone would take the machine for half a minute.
    step: `{ run: "go mod download && mkdir out && cat ~/go/pkg/mod/github.com/google/uuid@v1.6.0/uuid.go > out/main", network: registries, cache: { key: [go.mod], paths: [~/go] } }`,
    image: "{ base: static, copy: [out], command: [/app/out/main] }",
  },
];

const folder = await mkdtemp(join(tmpdir(), "slipway-ask-"));
const reached = await Promise.all(
  kinds.map(({ ask: [program, ...args] }) =>
    promisify(execFile)(program, args, {
      cwd: folder,
      timeout: 30_000,
      env: { ...process.env, GOFLAGS: "-mod=mod" },
    }).then(
      () => true,
      () => false,
    ),
  ),
);
await rm(folder, { recursive: true, force: true });

describe.skipIf(!reached.includes(true))("a build with dependencies", () => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await startBuildService();
  });
  afterAll(() => platform.close());

  for (const [index, kind] of kinds.entries()) {
    const missing = reached[index] ? "" : " (skipped: its registry is not reached from here)";

    test.skipIf(!reached[index])(
      `of ${kind.name} gives the same image again, the second time from its cache${missing}`,
      async () => {
        const repository = await testRepository(platform.folder, kind.name, false);
        await platform.register(kind.name, repository.url);
        const head = `version: 1\nservice: ${kind.name}\npipeline:\n  deps: ${kind.step}\n`;
        const sha = await repository.commit({ ...kind.files, "slipway.yaml": `${head}image: ${kind.image}\n` });
        const build = async (branch: string) => {
          const push = { url: repository.url, sha, ref: `refs/heads/${branch}` };
          const id = await platform.buildOf(await platform.push(push));
          return { ...(await platform.ended(id)), log: await platform.log(id) };
        };

        const first = await build("main");
        await repository.branch("again", sha);
        const second = await build("again");

        expect(first, first.log).toMatchObject({ status: "SUCCEEDED" });
        expect(first.log).toContain("deps | cache: kept");
        expect(second, second.log).toMatchObject({ status: "SUCCEEDED", digest: first.digest });
        expect(second.log).toContain("deps | cache: restored");
      },
      300_000,
    );
  }
});
