import { until } from "@slipway/testkit";
import { expect, it } from "vitest";
import { agentOfEachTest } from "../support/agent-of-each-test.ts";
import { testImage } from "../support/node-image.ts";

const programs = {
  "crash.mjs": 'console.log("starting"); throw new TypeError("orders is not iterable");',
  "ends.mjs": 'console.log("nothing to do");',
  "deaf.mjs": 'import { createServer } from "node:http"; createServer().listen(0, process.env.HOST);',
  "ill.mjs": `import { createServer } from "node:http";
    createServer((_, answer) => answer.writeHead(503).end()).listen(Number(process.env.PORT), process.env.HOST);`,
};

const { kube } = agentOfEachTest(programs);

type State = { reason?: string; message?: string; exitCode?: number };
type Container = { state: Record<string, State>; lastState: Record<string, State>; restartCount: number };
type Status = {
  conditions: { type: string; status: string; message?: string }[];
  containerStatuses: Container[];
};

const readinessProbe = { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 1 };

function run(
  command: readonly string[],
  probes: object = { readinessProbe },
): { status(): Status | undefined; container(): Container | undefined } {
  kube().put("pods", {
    metadata: { name: "bad", namespace: "prod" },
    spec: {
      nodeName: "n1",
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "app", image: testImage, command, ...probes }],
    },
  });
  const status = () => kube().get("pods", "prod", "bad")?.status as Status | undefined;
  return { status, container: () => status()?.containerStatuses[0] };
}

it("a program that throws is started again and again, and its status holds its exit code and last words", async () => {
  const pod = run(["node", "/app/crash.mjs"]);

  await until(() => pod.container()?.state.waiting?.reason === "CrashLoopBackOff", {
    what: "the back-off",
  });
  expect(pod.container()?.lastState.terminated).toMatchObject({
    ...{ reason: "Error", exitCode: 1 },
    message: expect.stringContaining("TypeError: orders is not iterable"),
  });
});

it("a program that ends by itself is no service: it backs off, with exit code 0", async () => {
  const pod = run(["node", "/app/ends.mjs"]);

  await until(() => pod.container()?.state.waiting?.reason === "CrashLoopBackOff", {
    what: "the back-off",
  });
  expect(pod.container()?.lastState.terminated).toMatchObject({ reason: "Completed", exitCode: 0 });
});

it("a command that the image does not have says which, and never becomes ready", async () => {
  const pod = run(["/usr/bin/absent", "--now"]);

  await until(() => (pod.container()?.lastState.terminated?.message ?? "").includes("absent"), {
    what: "the missing command",
  });
  expect(pod.container()?.lastState.terminated?.exitCode).not.toBe(0);
});

it.each([
  ["listens on another port", "deaf.mjs", /ECONNREFUSED/],
  ["answers its probe with an error", "ill.mjs", /503/],
])("a program that %s stays unready, and the condition says why", async (_what, file, why) => {
  const pod = run(["node", `/app/${file}`]);
  const message = () => pod.status()?.conditions.find(({ type }) => type === "Ready")?.message ?? "";

  await until(() => why.test(message()), { what: `${why} in the condition` });
  expect(pod.status()?.conditions.find(({ type }) => type === "Ready")?.status).toBe("False");
  expect(pod.container()?.restartCount).toBe(0);
});

it("a program that does not start within its startup probe's patience is started again, and until then the condition says why", async () => {
  const startupProbe = { ...readinessProbe, failureThreshold: 2 };
  const pod = run(["node", "/app/ill.mjs"], { startupProbe, readinessProbe });
  const message = () => pod.status()?.conditions.find(({ type }) => type === "Ready")?.message ?? "";

  await until(() => /503/.test(message()), { what: "503 in the condition" });
  expect(pod.container()?.restartCount).toBe(0);
  await until(() => (pod.container()?.restartCount ?? 0) > 0, { what: "a second start", timeoutMs: 60_000 });
  expect(pod.status()?.conditions.find(({ type }) => type === "Ready")?.status).toBe("False");
});
