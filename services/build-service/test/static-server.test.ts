import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { freePort, until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = fileURLToPath(new URL("../src/static-server/server.mjs", import.meta.url));
let folder = "";
let url = "";
let server: ChildProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-site-"));
  await mkdir(join(folder, "site", "docs"), { recursive: true });
  await mkdir(join(folder, "site", ".git"));
  const files = {
    "index.html": "home",
    "about.html": "about",
    "docs/index.html": "docs",
    "a.css": "a {}",
    ".env": "secret",
    ".git/config": "secret",
  };
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, "site", path), text);
  await writeFile(join(folder, "outside.txt"), "secret");
  await symlink("../outside.txt", join(folder, "site", "link.txt"));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  server = spawn(process.execPath, [program, join(folder, "site")], { env: { PORT: String(port), HOST: "127.0.0.1" } });
  const answers = () =>
    ask("/").then(
      () => true,
      () => false,
    );
  await until(answers, { what: "the server" });
});
afterAll(async () => {
  if (server.exitCode === null) server.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };

/** Sends a path as it is: other clients would take the dots out of it. */
async function ask(path: string, method = "GET", headers: Record<string, string> = {}): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const sent = httpRequest({ hostname, port, path, method, headers, agent: false }).end();
  const [answer] = (await once(sent, "response")) as [
    Parameters<typeof text>[0] & { statusCode: number; headers: IncomingHttpHeaders },
  ];
  return { status: answer.statusCode, headers: answer.headers, text: await text(answer) };
}

test.each([
  ["/", 200, "home", "text/html"],
  ["/about", 200, "about", "text/html"],
  ["/docs/", 200, "docs", "text/html"],
  ["/a.css?x=1", 200, "a {}", "text/css"],
  ["/none", 404, "nothing here", "text/plain"],
])("%s is answered with %i", async (path, status, content, type) => {
  const answer = await ask(path);

  expect(answer.status).toBe(status);
  expect(answer.headers["content-type"]).toContain(type);
  expect(answer.text).toContain(content);
});

test.each([
  ...["/.env", "/.git/config", "/link.txt", "/..%2foutside.txt", "/%2e%2e/outside.txt", "/../outside.txt"],
  ...["/docs/..%2f..%2foutside.txt", "/%00", "/%"],
])("%s gives nothing away", async (path) => {
  const answer = await ask(path);

  expect(answer.status).toBe(404);
  expect(answer.text).not.toContain("secret");
});

test("a folder leads to its slash, what has not changed is not sent again, and only reading is allowed", async () => {
  const found = await ask("/docs");
  const first = await ask("/a.css");
  const again = await ask("/a.css", "GET", { "if-none-match": String(first.headers.etag) });
  const write = await ask("/a.css", "PUT");

  expect([found.status, found.headers.location]).toEqual([308, "/docs/"]);
  expect([again.status, write.status]).toEqual([304, 405]);
});

test("it ends on SIGTERM", async () => {
  const ended = once(server, "exit");
  server.kill("SIGTERM");

  expect((await ended)[0]).toBe(0);
});
