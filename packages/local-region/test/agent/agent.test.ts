import { type ChildProcess, spawn } from "node:child_process";
import { appendFile, mkdir, mkdtemp, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { rotateLogs } from "../../src/agent/logs.ts";
import { memoryParent } from "../../src/agent/memory-group.ts";
import { identify, isAlive } from "../../src/agent/process.ts";
import { type PodState, readStates, writeState } from "../../src/agent/state-files.ts";
import { type Agent, podAnnotations, podLogs, startAgent } from "../../src/index.ts";
import { KubeStub, type StubObject } from "../support/kube-stub.ts";
import { hostileImage, placeHostileImage, placeNodeImage, testImage } from "../support/node-image.ts";
import { quiet } from "../support/quiet.ts";

const server = `
import { createServer } from "node:http";
import { readFileSync, writeFileSync, readdirSync } from "node:fs";
import { hostname, userInfo } from "node:os";
const attempt = (act) => { try { return act(); } catch (error) { return error.code; } };
createServer((request, answer) => {
  const { pathname, searchParams } = new URL(request.url, "http://pod");
  if (pathname === "/exit") { answer.end("bye", () => process.exit(Number(searchParams.get("code")))); return; }
  if (pathname === "/read") { answer.end(String(attempt(() => readFileSync(searchParams.get("path"), "utf8")))); return; }
  if (pathname === "/eat") {
    const eaten = [];
    setInterval(() => eaten.push(Buffer.alloc(16 * 1024 * 1024, 1)), 5);
    return;
  }
  if (pathname === "/say") { console.log(searchParams.get("line")); answer.end("said"); return; }
  if (pathname === "/look") {
    answer.end(JSON.stringify({
      env: process.env, pid: process.pid, cwd: process.cwd(), hostname: hostname(), user: attempt(() => userInfo().username),
      status: readFileSync("/proc/self/status", "utf8"), root: readdirSync("/"),
      processes: readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name)),
      write: attempt(() => writeFileSync("/app/x", "")), writeRoot: attempt(() => writeFileSync("/x", "")),
      writeTmp: attempt(() => writeFileSync("/tmp/x", "")) ?? "written",
    }));
    return;
  }
  answer.end("ok");
}).listen(Number(process.env.PORT), process.env.HOST, () => console.log("listening"));
process.on("SIGTERM", () => { console.log("terminated"); process.exit(0); });
`;

let base: string;
let imagesDir: string;
let dir: string;
let kube: KubeStub;
let kubeconfig: string;
const agents: Agent[] = [];
const processes: ChildProcess[] = [];

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "slipway-agent-"));
  imagesDir = join(base, "images");
  await placeNodeImage(imagesDir, { "server.mjs": server, "crash.mjs": "process.exit(3);" });
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

beforeEach(async () => {
  dir = await mkdtemp(join(base, "agent-"));
  kube = new KubeStub();
  await kube.start();
  kubeconfig = await kube.kubeconfig(join(dir, "kubeconfig"));
});

afterEach(async () => {
  const killed = processes.splice(0);
  for (const child of killed) child.kill("SIGKILL");
  // A test that failed between two agents has left a pod behind, which only another agent takes along.
  if (killed.length > 0) await agent();
  for (const running of agents.splice(0)) await running.stop({ leavePods: false });
  await kube.die();
});

async function agent(): Promise<Agent> {
  const started = await startAgent({ region: "test", node: "n1", kubeconfig, dir, imagesDir, log: quiet });
  agents.push(started);
  return started;
}

function pod(name: string, container: object = {}, spec: object = {}): StubObject {
  return kube.put("pods", {
    metadata: { name, namespace: "prod", labels: { app: "orders" } },
    spec: {
      nodeName: "n1",
      terminationGracePeriodSeconds: 2,
      containers: [
        {
          name: "app",
          image: testImage,
          env: [{ name: "GREETING", value: 'a "b" $(id) ; $HOME' }],
          readinessProbe: { httpGet: { path: "/healthz", port: "http" } },
          ...container,
        },
      ],
      ...spec,
    },
  });
}

type Status = {
  phase: string;
  conditions: { type: string; status: string }[];
  containerStatuses: {
    restartCount: number;
    state: Record<string, { reason?: string; message?: string }>;
    lastState: Record<string, { exitCode: number }>;
  }[];
};

const statusOf = (name: string) => kube.get("pods", "prod", name)?.status as Status | undefined;
const containerOf = (name: string) => statusOf(name)?.containerStatuses[0];
const isReady = (name: string) =>
  statusOf(name)?.conditions.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

function urlOf(name: string): string {
  const annotations = kube.get("pods", "prod", name)?.metadata.annotations as Record<string, string>;
  return `http://127.0.0.1:${annotations[podAnnotations.port]}`;
}

async function ready(name: string): Promise<void> {
  await until(() => isReady(name), { what: `${name} is ready` });
}

async function stateOf(name: string): Promise<PodState | undefined> {
  return (await readStates(dir)).find((state) => state.name === name);
}

async function innerPid(name: string): Promise<number> {
  const state = await stateOf(name);
  if (state === undefined || typeof state.process !== "object" || state.process === null) throw new Error("no process");
  return state.process.inner.pid;
}

describe("a pod of the local region", () => {
  it("runs apart from the machine: own namespaces, read-only root, no privileges, nothing of ours to read", async () => {
    pod("orders-1");
    await agent();
    await ready("orders-1");

    const seen = (await (await fetch(`${urlOf("orders-1")}/look`)).json()) as Record<string, never>;
    const inner = await innerPid("orders-1");

    for (const namespace of ["mnt", "pid", "ipc", "uts"]) {
      expect(await readlink(`/proc/${inner}/ns/${namespace}`)).not.toBe(await readlink(`/proc/self/ns/${namespace}`));
    }
    expect(await readlink(`/proc/${inner}/ns/net`)).toBe(await readlink("/proc/self/ns/net"));
    expect(seen).toMatchObject({
      pid: 1,
      cwd: "/app",
      hostname: "orders-1",
      write: "EROFS",
      writeRoot: "EROFS",
      writeTmp: "written",
    });
    expect(seen.user).toBe(process.getuid?.() === 0 ? "pod" : "app");
    expect(seen.processes).toEqual(["1"]);
    expect(seen.root).not.toContain("home");
    expect(seen.status).toMatch(/^CapEff:\s+0000000000000000$/m);
    expect(seen.status).toMatch(/^CapPrm:\s+0000000000000000$/m);
    expect(seen.status).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(seen.status).not.toMatch(/^Uid:\s+0\s/m);
    for (const path of ["/etc/shadow", kubeconfig, `/proc/1/root${kubeconfig}`, join(dir, "pods")]) {
      expect(await (await fetch(`${urlOf("orders-1")}/read?path=${path}`)).text()).toBe("ENOENT");
    }
  });

  it("gets its variables as they are written, the image's too, a port and the loopback host", async () => {
    pod("orders-1");
    await agent();
    await ready("orders-1");

    const { env } = (await (await fetch(`${urlOf("orders-1")}/look`)).json()) as { env: Record<string, string> };

    expect(env).toMatchObject({
      GREETING: 'a "b" $(id) ; $HOME',
      FROM_IMAGE: "yes",
      HOST: "127.0.0.1",
      PATH: "/usr/bin",
    });
    expect(urlOf("orders-1")).toBe(`http://127.0.0.1:${env.PORT}`);
  });

  it("waits for a Secret that it names, with the reason shown, and then has it in its environment alone", async () => {
    const ref = (name: string, key: string, optional = false) => ({
      name: key,
      valueFrom: { secretKeyRef: { name, key, optional } },
    });
    const value = 'it\'s a "secret"\nof two lines é';
    pod("orders-1", { env: [ref("orders", "DB_URL"), ref("orders", "MAYBE", true)] });
    await agent();
    const reason = () => containerOf("orders-1")?.state.waiting;
    await until(() => reason()?.message === 'secret "orders" not found', { what: "the Secret is missed" });
    expect(reason()?.reason).toBe("CreateContainerConfigError");
    kube.put("secrets", { metadata: { name: "orders", namespace: "staging" }, data: { DB_URL: "b3RoZXI=" } });
    kube.put("secrets", { metadata: { name: "orders", namespace: "prod" }, data: {} });
    const missed = "couldn't find key DB_URL in Secret prod/orders";
    await until(() => reason()?.message === missed, { what: "the key is missed" });

    const data = { DB_URL: Buffer.from(value).toString("base64") };
    kube.put("secrets", { metadata: { name: "orders", namespace: "prod" }, data });
    await ready("orders-1");

    const { env } = (await (await fetch(`${urlOf("orders-1")}/look`)).json()) as { env: Record<string, string> };
    expect(env.DB_URL).toBe(value);
    expect(env).not.toHaveProperty("MAYBE");
    const state = await stateOf("orders-1");
    const told = JSON.stringify([kube.get("pods", "prod", "orders-1"), state]);
    for (const form of ["of two lines", data.DB_URL]) expect(told).not.toContain(form);
    const { process: processes } = state ?? expect.fail("no state");
    if (typeof processes === "string" || processes === null) throw new Error("no process");
    for (const { pid } of [processes.outer, processes.inner]) {
      expect(await readFile(`/proc/${pid}/cmdline`, "utf8")).not.toContain("of two lines");
    }
  });

  it("is started again when it exits, and says how often and why", async () => {
    pod("orders-1");
    await agent();
    await ready("orders-1");
    const before = await innerPid("orders-1");

    await fetch(`${urlOf("orders-1")}/exit?code=7`);
    await until(() => containerOf("orders-1")?.restartCount === 1, { what: "the restart is counted" });
    await ready("orders-1");

    expect(await innerPid("orders-1")).not.toBe(before);
    expect(containerOf("orders-1")?.lastState).toMatchObject({ terminated: { exitCode: 7 } });
    expect(await (await fetch(urlOf("orders-1"))).text()).toBe("ok");
  });

  it("waits longer and longer when it keeps crashing, and says CrashLoopBackOff", async () => {
    pod("orders-1", { command: ["node", "/app/crash.mjs"] });
    await agent();

    await until(() => containerOf("orders-1")?.state.waiting?.reason === "CrashLoopBackOff", { what: "back-off" });

    expect(containerOf("orders-1")?.lastState).toMatchObject({ terminated: { exitCode: 3 } });
    expect(containerOf("orders-1")?.restartCount).toBeGreaterThanOrEqual(1);
    expect(isReady("orders-1")).toBe(false);
  });

  it("says ImagePullBackOff while its registry does not answer", async () => {
    pod("orders-1", { image: `127.0.0.1:1/other@sha256:${"1".repeat(64)}` });
    await agent();

    const reasons = ["ErrImagePull", "ImagePullBackOff"];
    await until(() => reasons.includes(containerOf("orders-1")?.state.waiting?.reason ?? ""), {
      what: "the pull failed",
      timeoutMs: 90_000,
    });

    expect(statusOf("orders-1")?.phase).toBe("Pending");
  }, 100_000);

  it("is refused with the reason where it asks for what a local region cannot do", async () => {
    pod("orders-1", { env: [{ name: "LD_PRELOAD", value: "/tmp/x.so" }] });
    await agent();

    await until(() => containerOf("orders-1")?.state.waiting?.reason === "CreateContainerConfigError", {
      what: "refusal",
    });

    expect(containerOf("orders-1")?.state.waiting?.message).toMatch(/LD_PRELOAD cannot be set/);
  });

  it("is not started where its image sets what would act on the programs that start it", async () => {
    await placeHostileImage(imagesDir);
    pod("orders-1", { image: hostileImage });
    await agent();

    const message = () =>
      Object.values(containerOf("orders-1")?.lastState ?? {}).map((state) => (state as { message?: string }).message);
    await until(() => message().some((text) => text?.includes("the image sets LD_PRELOAD")), {
      what: "refusal",
      timeoutMs: 50_000,
    });
  });

  it("gets SIGTERM when it is deleted, leaves the ready ones first, and is gone from the API only when it has ended", async () => {
    const made = pod("orders-1");
    await agent();
    await ready("orders-1");
    const inner = identify(await innerPid("orders-1"));
    const logs = podLogs(dir);
    const following = (async () => {
      let all = "";
      for await (const chunk of logs({ uid: made.metadata.uid, follow: true })) all += Buffer.from(chunk).toString();
      return all;
    })();

    const current = kube.get("pods", "prod", "orders-1") as StubObject;
    kube.put("pods", { ...current, metadata: { ...current.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
    await until(() => !isReady("orders-1"), { what: "no longer ready" });
    const aliveWhenUnready = inner !== undefined && isAlive(inner);
    await until(() => kube.get("pods", "prod", "orders-1") === undefined, { what: "the object is gone" });

    expect(aliveWhenUnready).toBe(true);
    expect(inner !== undefined && isAlive(inner)).toBe(false);
    expect(await following).toMatch(/listening\nterminated\n$/);
  });
});

describe("the memory limit of a pod", () => {
  const limited = memoryParent() !== undefined;

  it.skipIf(!limited)("ends the pod that wants more (needs a writable control group), and says OOMKilled", async () => {
    pod("orders-1", { resources: { limits: { memory: "128Mi" } } });
    await agent();
    await ready("orders-1");

    void fetch(`${urlOf("orders-1")}/eat`).catch(() => undefined);
    await until(() => containerOf("orders-1")?.lastState.terminated !== undefined, { what: "it is ended" });

    expect(containerOf("orders-1")?.lastState).toMatchObject({ terminated: { exitCode: 137, reason: "OOMKilled" } });
    expect(kube.get("pods", "prod", "orders-1")?.metadata.annotations).toMatchObject({
      [podAnnotations.limits]: "cgroup",
      [podAnnotations.network]: "host",
    });
  });
});

describe("logs", () => {
  it("are cut when they have grown too large, and can be read over the cut", async () => {
    const folder = join(dir, "pods", "u-1");
    await mkdir(folder, { recursive: true });
    const line = `${"x".repeat(1_023)}\n`;
    await writeFile(join(folder, "log"), line.repeat(9_000));

    await rotateLogs(dir, ["u-1", "absent"]);
    await appendFile(join(folder, "log"), "after\n");
    const chunks: Uint8Array[] = [];
    for await (const chunk of podLogs(dir)({ uid: "u-1" })) chunks.push(chunk);

    expect((await stat(join(folder, "log"))).size).toBe(6);
    expect(Buffer.concat(chunks).toString()).toBe(`${line.repeat(9_000)}after\n`);
    await rm(folder, { recursive: true });
  });

  it("are not read from any other folder", async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of podLogs(join(dir, "x"))({ uid: "../../agent" })) chunks.push(chunk);

    expect(chunks).toEqual([]);
  });

  it("follow a pod as it prints, and give the last lines when asked for those", async () => {
    const made = pod("orders-1");
    await agent();
    await ready("orders-1");
    const stop = new AbortController();
    let seen = "";
    const reading = (async () => {
      for await (const chunk of podLogs(dir)({ uid: made.metadata.uid, follow: true, signal: stop.signal })) {
        seen += Buffer.from(chunk).toString();
      }
    })();

    for (const line of ["one", "two", "three"]) await fetch(`${urlOf("orders-1")}/say?line=${line}`);
    await until(() => seen.endsWith("three\n"), { what: "the line arrives" });
    stop.abort();
    await reading;
    let tail = "";
    for await (const chunk of podLogs(dir)({ uid: made.metadata.uid, tailLines: 2 }))
      tail += Buffer.from(chunk).toString();

    expect(seen).toBe("listening\none\ntwo\nthree\n");
    expect(tail).toBe("two\nthree\n");
  });
});

describe("pods outlive their agent", () => {
  async function agentProcess(): Promise<ChildProcess> {
    const program = join(import.meta.dirname, "../support/agent-process.ts");
    const args = ["--conditions=@slipway/source", program, dir, imagesDir, kubeconfig];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    processes.push(child);
    return child;
  }

  it("and are adopted after kill -9, without a restart", async () => {
    pod("orders-1");
    const first = await agentProcess();
    await ready("orders-1");
    const inner = await innerPid("orders-1");
    const url = urlOf("orders-1");

    first.kill("SIGKILL");
    await until(() => first.signalCode !== null, { what: "the agent is dead" });
    expect(await (await fetch(url)).text()).toBe("ok");
    const current = kube.get("pods", "prod", "orders-1") as StubObject;
    kube.put("pods", { ...current, status: {} });
    await agent();
    await ready("orders-1");

    expect(await innerPid("orders-1")).toBe(inner);
    expect(containerOf("orders-1")?.restartCount).toBe(0);
    expect(await (await fetch(url)).text()).toBe("ok");
    await fetch(`${url}/exit?code=1`);
    await until(() => containerOf("orders-1")?.restartCount === 1, { what: "an adopted pod is started again too" });
  });

  it("even when it died between starting them and writing down which processes they are", async () => {
    pod("orders-1");
    const first = await agent();
    await ready("orders-1");
    const inner = await innerPid("orders-1");
    await first.stop({ leavePods: true });
    const state = await stateOf("orders-1");
    if (state !== undefined) await writeState(dir, { ...state, process: "starting" });

    await agent();
    await until(async () => (await stateOf("orders-1"))?.process !== "starting", {
      what: "the process is known again",
    });

    expect(await innerPid("orders-1")).toBe(inner);
    expect(containerOf("orders-1")?.restartCount).toBe(0);
  });

  it("and stay in the routes meanwhile: a new agent does not make them unready", async () => {
    pod("orders-1");
    const first = await agent();
    await ready("orders-1");
    await first.stop({ leavePods: true });
    const from = kube.seen.length;

    await agent();
    await until(() => kube.seen.length > from, { what: "the new agent reports" });
    await fetch(`${urlOf("orders-1")}/exit?code=1`);
    await until(() => containerOf("orders-1")?.restartCount === 1, { what: "its end is seen" });

    const readiness = kube.seen
      .slice(from)
      .map(({ status }) => (status as Status).conditions.find(({ type }) => type === "Ready")?.status);
    expect(readiness[0]).toBe("True");
    expect(readiness).toContain("False");
  });

  it("and are stopped when their objects were deleted in between", async () => {
    pod("orders-1");
    const first = await agentProcess();
    await ready("orders-1");
    const inner = identify(await innerPid("orders-1"));

    first.kill("SIGKILL");
    kube.remove("pods", "prod", "orders-1");
    await agent();
    await until(() => inner !== undefined && !isAlive(inner), { what: "the orphan ends" });
    await until(async () => (await readStates(dir)).length === 0, { what: "nothing is left of it" });

    expect(inner).toBeDefined();
  });

  it("and an agent that stops with leavePods leaves them, else takes them along", async () => {
    pod("orders-1");
    const leaving = await agent();
    await ready("orders-1");
    const inner = identify(await innerPid("orders-1"));

    await leaving.stop({ leavePods: true });
    const left = inner !== undefined && isAlive(inner);
    const taking = await agent();
    await until(() => isReady("orders-1"), { what: "adopted" });
    await taking.stop({ leavePods: false });

    expect(left).toBe(true);
    expect(inner !== undefined && isAlive(inner)).toBe(false);
  });
});
