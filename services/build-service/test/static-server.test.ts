import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "@slipway/testkit";
import { request } from "undici";
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
  await until(
    () =>
      request(url).then(
        () => true,
        () => false,
      ),
    { timeoutMs: 30_000, what: "the server" },
  );
});
afterAll(async () => {
  if (server.exitCode === null) server.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const address = taken.address();
  taken.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

test.each([
  ["/", 200, "home", "text/html"],
  ["/about", 200, "about", "text/html"],
  ["/docs/", 200, "docs", "text/html"],
  ["/a.css?x=1", 200, "a {}", "text/css"],
  ["/none", 404, "nothing here", "text/plain"],
])("%s is answered with %i", async (path, status, text, type) => {
  const answer = await request(`${url}${path}`);

  expect(answer.statusCode).toBe(status);
  expect(answer.headers["content-type"]).toContain(type);
  expect(await answer.body.text()).toContain(text);
});

test.each([
  "/.env",
  "/.git/config",
  "/link.txt",
  "/..%2foutside.txt",
  "/%2e%2e/outside.txt",
  "/docs/..%2f..%2foutside.txt",
  "/%00",
  "/%",
])("%s gives nothing away", async (path) => {
  const answer = await request(`${url}${path}`);

  expect(answer.statusCode).toBe(404);
  expect(await answer.body.text()).not.toContain("secret");
});

test("a folder leads to its slash, what has not changed is not sent again, and only reading is allowed", async () => {
  const folderAnswer = await request(`${url}/docs`);
  const first = await request(`${url}/a.css`);
  const again = await request(`${url}/a.css`, { headers: { "if-none-match": String(first.headers.etag) } });
  const write = await request(`${url}/a.css`, { method: "PUT", body: "x" });

  expect([folderAnswer.statusCode, folderAnswer.headers.location]).toEqual([308, "/docs/"]);
  expect([again.statusCode, write.statusCode]).toEqual([304, 405]);
});

test("it ends on SIGTERM", async () => {
  const ended = once(server, "exit");
  server.kill("SIGTERM");

  expect((await ended)[0]).toBe(0);
});
