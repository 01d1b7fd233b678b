import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@slipway/client";
import { freePort, programEnv, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeNote } from "./example-module.ts";

const schemas = ["bus", "access", "notification"];
let database: TestDatabase;
let dataDir: string;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  database = await testDatabase(schemas);
  dataDir = await mkdtemp(join(tmpdir(), "slipway-process-"));
  // Roles belong to the whole test server: the processes have to use the passwords that these have already.
  const secrets = join(dataDir, "secrets", "postgres");
  await mkdir(secrets, { recursive: true });
  for (const schema of schemas) {
    await writeFile(join(secrets, `slipway_${schema}`), decodeURIComponent(new URL(database.url(schema)).password));
  }
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await database.close();
  await rm(dataDir, { recursive: true });
});

type Line = { readonly msg: string; readonly url?: string };

function start(env: Record<string, string>) {
  const child = spawn(process.execPath, ["--conditions=@slipway/source", join(import.meta.dirname, "notes-main.ts")], {
    env: {
      ...programEnv(),
      SLIPWAY_DATA: dataDir,
      SLIPWAY_DATABASE_URL: database.adminUrl,
      SLIPWAY_PORT: "0",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said.err += chunk.toString();
  });
  const exited = once(child, "exit").then(([code]) => code as number | null);
  const lines = (): Line[] =>
    said.out
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  const listening = async (): Promise<string> => {
    for (;;) {
      const url = lines().find(({ msg }) => msg === "host listens")?.url;
      if (url !== undefined) return url;
      const next = await Promise.race([once(child.stdout, "data"), exited]);
      if (typeof next === "number" || next === null) throw new Error(`it ended: ${said.err}${said.out}`);
    }
  };
  return { child, said, exited, lines, listening };
}

test("a process that is told to stop the moment it is ready ends in order", async () => {
  const port = await freePort();
  const { child, exited, said, lines } = start({ SLIPWAY_PORT: String(port) });
  const ready = () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    );
  // At once, without the pauses of a patient caller.
  while (child.exitCode === null && !(await ready()));
  child.kill("SIGTERM");

  expect([await exited, lines().at(-1)?.msg, said.err]).toEqual([0, "host stopped", ""]);
});

test("two processes that start at once share one set of tokens, and each ends cleanly on SIGTERM", async () => {
  const both = [start({}), start({})];
  const urls = await Promise.all(both.map((process) => process.listening()));
  const admin = (await readFile(join(dataDir, "tokens", "admin"), "utf8")).trim();
  const answers = await Promise.all(
    urls.map((url) => fetch(`${url}/api/v1/notes`, { headers: { authorization: `Bearer ${admin}` } })),
  );
  for (const { child } of both) child.kill("SIGTERM");
  const codes = await Promise.all(both.map(({ exited }) => exited));
  const { rows } = await sql<{ n: number }>`select count(*) as n from access.token`.execute(
    database.db<never>("notification"),
  );

  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect((await readdir(join(dataDir, "tokens"))).length).toBe(5);
  expect(rows[0]?.n).toBe(5);
  expect(codes).toEqual([0, 0]);
  for (const { lines, said } of both) {
    expect(lines().at(-1)?.msg).toBe("host stopped");
    expect(said.out).not.toMatch(/slp_/);
    expect(said.err).toBe("");
  }
});

test("a wrong configuration ends with every problem named", async () => {
  const { exited, said } = start({
    SLIPWAY_BUS_URL: "kafka://user:hunter2@x:1?acks=0",
    SLIPWAY_PORT: "much",
    SLIPWAY_DATABASE_URL: "embedded:",
  });

  expect(await exited).toBe(1);
  expect(said.err).toContain("SLIPWAY_BUS_URL: behind the ? stand sasl=");
  expect(said.err).not.toContain("hunter2");
  expect(said.err).toContain("SLIPWAY_PORT: ");
});

test("a port that another program has is refused by its number", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const { exited, said } = start({ SLIPWAY_PORT: String(port) });

  expect(await exited).toBe(1);
  expect(said.err).toContain(`Port ${port} is taken`);
  other.close();
});

test("who asks again after the process was killed at work hears the answer, and not that somebody is at it", async () => {
  const killed = start({ NOTES_HANG: "true" });
  const tokenOf = async () => (await readFile(join(dataDir, "tokens", "deployer"), "utf8")).trim();
  const asked = { text: "kept" };
  const url = await killed.listening();
  const lost = fetch(`${url}${makeNote.path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${await tokenOf()}`,
      "content-type": "application/json",
      "idempotency-key": "killed",
    },
    body: JSON.stringify(asked),
  }).catch(() => "no answer");
  await until(() => killed.lines().some(({ msg }) => msg === "a note hangs"), { what: "the call at work" });
  killed.child.kill("SIGKILL");
  await killed.exited;
  const next = start({});
  const again = createClient({ url: await next.listening(), token: await tokenOf() });

  expect(await again.call(makeNote, { query: {}, body: asked, idempotencyKey: "killed" })).toEqual({
    text: "kept",
    count: 1,
  });
  expect(await lost).toBe("no answer");
});
