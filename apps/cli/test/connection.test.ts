import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { slipway, writeTree } from "./slipway.ts";

let folder = "";
const closing: (() => void)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-cli-"));
});
afterEach(async () => {
  for (const close of closing.splice(0)) close();
  await rm(folder, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A data folder as a platform leaves it that has been stopped. */
async function stoppedPlatform(): Promise<void> {
  await writeTree(folder, {
    ".slipway/endpoints.json": JSON.stringify({ platform: { url: "http://127.0.0.1:1", port: 1 }, regions: {} }),
    ".slipway/tokens/deployer": "slp_x\n",
  });
}

describe("the exit code says who has to do something", () => {
  test.each([[["statsu"]], [["deploy", "--regoins", "x"]], [["status", "456"]], [["--as", "root", "status", "D-1"]]])(
    "2: what is not understood: %j",
    async (args) => {
      await stoppedPlatform();

      expect((await slipway(folder, ...args)).code).toBe(2);
    },
  );

  test.each([
    [["--as", "approvr", "status", "D-1"], 'not approvr, did you mean "approver"?'],
    [["events", "--topic", "deploymnet"], 'There is no topic deploymnet, did you mean "deployment"? There are build,'],
    [["events", "--topic", "slipway.biuld.v1"], 'did you mean "slipway.build.v1"?'],
    [["events", "--topic", "weather"], "There is no topic weather. There are build, artifact, deployment,"],
  ])("a role or topic that nobody knows is told the nearest one: %j", async (args, said) => {
    await stoppedPlatform();

    expect((await slipway(folder, ...args)).err).toContain(said);
  });

  test("3: no platform, one that does not run, one that is not there, each with what to do", async () => {
    const none = await slipway(folder, "status", "D-1");
    const gone = await slipway(folder, "--url", "http://127.0.0.1:1", "--token", "x", "status", "D-1");
    await stoppedPlatform();
    const stopped = await slipway(folder, "status", "D-1");

    expect([none.code, none.err]).toEqual([3, expect.stringMatching(/No platform was found.*\n.*npm start/)]);
    expect([gone.code, gone.err]).toEqual([
      3,
      expect.stringMatching(/Nothing answers.*connection refused.*\n.*SLIPWAY_URL/),
    ]);
    expect([stopped.code, stopped.err]).toEqual([3, expect.stringMatching(/does not run.*\nStart it with npm start/)]);
  });

  test("4: no token, or one that is not taken, with where it came from", async () => {
    const problem = { type: "x", title: "x", status: 401, code: "auth.invalid", detail: "The token has expired." };
    const url = await serve((_request, response) => response.writeHead(401).end(JSON.stringify(problem)));

    const none = await slipway(folder, "--url", url, "status", "D-1");
    const expired = await slipway(folder, "--url", url, "--token", "slp_old", "status", "D-1");

    expect([none.code, none.err]).toEqual([4, expect.stringContaining("A token is needed")]);
    expect([expired.code, expired.err]).toEqual([
      4,
      expect.stringMatching(/has expired\.\nThe token came from --token/),
    ]);
    expect(expired.err).not.toContain("slp_old");
  });

  test("1: something else than Slipway answers there", async () => {
    const url = await serve((_request, response) => response.end("<html>"));

    const ran = await slipway(folder, "--url", url, "--token", "x", "status", "D-1");

    expect([ran.code, ran.err]).toEqual([1, expect.stringContaining(`Is ${url} a Slipway platform`)]);
  });
});

test.each([
  [["statsu"], "request.invalid"],
  [["validate", "nowhere"], "request.invalid"],
  [["status", "D-1"], "unavailable"],
])("with --json an error is one problem document on stdout, with the exit code in it: %j", async (args, code) => {
  await stoppedPlatform();

  const ran = await slipway(folder, "--json", ...args);

  expect(JSON.parse(ran.out)).toMatchObject({ code, exit_code: ran.code, detail: expect.any(String) });
  expect(ran.err).toBe("");
});

test.each([
  [["artifacts", "prmote"], "promote"],
  [["status", "--wtach"], "--watch"],
])("a name that is one letter off is answered with the right one: %j", async (args, meant) => {
  expect((await slipway(folder, ...args)).err).toContain(`Did you mean ${meant}?`);
});

describe("in a repository", () => {
  test("the service is that of slipway.yaml here or above, and the version the commit that is checked out", async () => {
    const asked: string[] = [];
    const url = await serve((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        asked.push(body);
        response
          .writeHead(409)
          .end(JSON.stringify({ type: "x", title: "x", status: 409, code: "plan.invalid", detail: "no" }));
      });
    });
    await writeTree(folder, { "slipway.yaml": 'version: 1\nservice: "shop" # ours\n', "deep/er/x": "" });
    const git = (...args: readonly string[]) =>
      execFileSync("git", ["-C", folder, "-c", "user.name=A", "-c", "user.email=a@example.com", ...args], {
        encoding: "utf8",
      });
    git("init", "--quiet");
    const call = (...args: readonly string[]) =>
      slipway(join(folder, "deep/er"), "--url", url, "--token", "x", ...args);

    const before = await call("deploy");
    git("add", "--all");
    git("commit", "--quiet", "-m", "first");
    await call("deploy");
    await call("deploy", "abcdef0", "--env", "staging");
    await call("deploy", "other", "abcdef0");

    expect([before.code, before.err]).toEqual([2, expect.stringContaining("no git repository with a commit")]);
    expect(asked.map((body) => JSON.parse(body))).toMatchObject([
      { service: "shop", version: git("rev-parse", "HEAD").trim() },
      { service: "shop", version: "abcdef0", environment: "staging" },
      { service: "other", version: "abcdef0" },
    ]);
  });

  test("an image is added with what slipway.yaml says of running it, and without what it says of building", async () => {
    const asked: string[] = [];
    const url = await serve((request, response) => {
      request.on("data", (chunk: Buffer) => asked.push(chunk.toString()));
      request.on("end", () =>
        response
          .writeHead(422)
          .end(JSON.stringify({ type: "x", title: "x", status: 422, code: "image.unusable", detail: "no" })),
      );
    });
    await writeTree(folder, {
      "slipway.yaml":
        "version: 1\nservice: shop\npipeline: { build: { run: make } }\nimage: { copy: [a], command: [b] }\nworkload: { replicas: 7, ready: { timeout: 5s } }\n",
    });
    const image = `ghcr.io/x/y@sha256:${"a".repeat(64)}`;

    await slipway(folder, "--url", url, "--token", "x", "artifacts", "add", image, "--git-sha", "b".repeat(40));

    const body = JSON.parse(asked.join("")) as { spec: object };
    expect(body).toMatchObject({
      service: "shop",
      image,
      spec: { workload: { replicas: 7, ready: { timeout: 5_000 } } },
    });
    expect(Object.keys(body.spec)).not.toContain("pipeline");
  });
});

test("what a command waits for is said beside its answer, once, while it goes on", async () => {
  let firstAt: number | undefined;
  const detail = "The log of B-1 is in the object store, and cannot be read now: nothing listens at http://s3.";
  const url = await serve((_, response) => {
    firstAt ??= performance.now();
    if (performance.now() - firstAt > 3_000) response.writeHead(204).end();
    else
      response
        .writeHead(503, { "content-type": "application/problem+json", "retry-after": "1" })
        .end(JSON.stringify({ type: "t", title: "t", status: 503, code: "unavailable", detail }));
  });

  const ran = await slipway(folder, "--url", url, "--token", "slp_x", "logs", "B-1");

  expect(ran).toEqual({ code: 0, out: "", err: `Still trying: ${detail.replace(/\.$/, "")} ...\n` });
});
