import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuildView } from "@slipway/contracts";
import { sharedFolder, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testRepository } from "./git-repository.ts";
import { pushBody, secret } from "./start-build-service.ts";

let database: TestDatabase;
let folder = "";
const running = new Set<ChildProcess>();

beforeAll(async () => {
  database = await testDatabase(["bus", "access", "build", "registry"]);
  folder = await mkdtemp(join(tmpdir(), "slipway-crash-"));
});
afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

type Served = { readonly child: ChildProcess; readonly url: string; readonly tokens: Record<string, string> };

async function startProcess(): Promise<Served> {
  const schemas = ["build", "registry", "access", "bus"];
  const urls = Object.fromEntries(schemas.map((schema) => [`slipway_${schema}`, database.url(schema)]));
  const setup = { adminUrl: database.adminUrl, urls, dataDir: join(folder, "data"), bases: sharedFolder("bases") };
  const program = new URL("./platform-process.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--conditions=@slipway/source", program, JSON.stringify(setup)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { child, ...(JSON.parse(line.toString("utf8")) as { url: string; tokens: Record<string, string> }) };
}

function call(at: Served, path: string, as: string, options: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${at.tokens[as]}`, ...options.headers };
  return fetch(`${at.url}${path}`, { ...options, headers, signal: AbortSignal.timeout(20_000) });
}

async function kill(served: Served): Promise<void> {
  const gone = once(served.child, "exit");
  served.child.kill("SIGKILL");
  await gone;
  running.delete(served.child);
}

test("a step that was cut off by kill -9 runs again from a clean workspace, and its build succeeds", async () => {
  const repository = await testRepository(folder, "small", false);
  const step =
    "if [ -e left ]; then echo dirty; fi; touch left; echo begun; sleep 1; mkdir out; echo 1 > out/main.js; echo done";
  const sha = await repository.commit({
    "slipway.yaml": `version: 1\nservice: small\npipeline:\n  first: { run: echo once }\n  second: { needs: [first], run: '${step}' }\nimage: { copy: [out], command: [node, out/main.js] }\n`,
  });
  const before = await startProcess();
  const json = { "content-type": "application/json" };
  const registered = await call(before, "/api/v1/repositories/small", "admin", {
    method: "PUT",
    headers: json,
    body: JSON.stringify({ url: repository.url, secret }),
  });
  expect(registered.status).toBe(200);
  const body = pushBody({ url: repository.url, sha });
  const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
  const github = { "x-github-event": "push", "x-github-delivery": randomUUID(), "x-hub-signature-256": signature };
  const answer = await call(before, "/webhooks/github", "viewer", {
    method: "POST",
    headers: { ...json, ...github },
    body,
  });
  const { build_id: id } = (await answer.json()) as { build_id: string };
  const log = async (at: Served): Promise<string> => (await call(at, `/api/v1/builds/${id}/logs`, "viewer")).text();
  await until(async () => (await log(before)).includes("second | begun"), {
    what: "the step to have begun",
    timeoutMs: 100_000,
  });

  await kill(before);
  const after = await startProcess();

  const build = await until(
    async () => {
      const view = (await (await call(after, `/api/v1/builds/${id}`, "viewer")).json()) as BuildView;
      return view.ended_at === null ? undefined : view;
    },
    { timeoutMs: 200_000, what: "the end of the build" },
  );
  const text = await log(after);
  expect(build, text).toMatchObject({ status: "SUCCEEDED" });
  expect(text.match(/first \| once/g)).toHaveLength(1);
  expect(text.match(/second \| begun/g)).toHaveLength(2);
  expect(text.match(/second \| done/g)).toHaveLength(1);
  expect(text).toContain("(attempt 2, from a clean workspace)");
  expect(text).not.toContain("second | dirty");
  await kill(after);
}, 400_000);
