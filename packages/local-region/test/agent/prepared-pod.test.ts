import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { type Agent, podLogs, startAgent } from "../../src/index.ts";
import { KubeStub, type StubObject } from "../support/kube-stub.ts";
import { placeNodeImage, testImage } from "../support/node-image.ts";
import { quiet } from "../support/quiet.ts";

const programs = {
  "prepare.mjs": 'import { appendFileSync } from "node:fs"; appendFileSync("/work/said", process.argv[2] + " ");',
  "fail.mjs": 'console.log("no way"); process.exit(4);',
  "tell.mjs":
    'import { readFileSync, readdirSync } from "node:fs"; console.log(readFileSync("/work/said", "utf8") + readdirSync("/tmp"));',
};

let base = "";
let dir = "";
let kube: KubeStub;
let agent: Agent;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "slipway-prepared-"));
  await placeNodeImage(join(base, "images"), programs);
});
afterAll(() => rm(base, { recursive: true, force: true }));
beforeEach(async () => {
  dir = await mkdtemp(join(base, "agent-"));
  kube = new KubeStub();
  await kube.start();
  const kubeconfig = await kube.kubeconfig(join(dir, "kubeconfig"));
  agent = await startAgent({
    region: "test",
    node: "n1",
    kubeconfig,
    dir,
    imagesDir: join(base, "images"),
    log: quiet,
  });
});
afterEach(async () => {
  await agent.stop({ leavePods: false });
  await kube.die();
});

const container = (name: string, ...args: string[]) => ({
  ...{ name, image: testImage, command: ["node", ...args] },
  volumeMounts: [
    { name: "work", mountPath: "/work" },
    { name: "own-tmp", mountPath: "/tmp" },
  ],
});

function pod(...initContainers: object[]): StubObject {
  return kube.put("pods", {
    metadata: { name: "step", namespace: "prod" },
    spec: {
      ...{ nodeName: "n1", restartPolicy: "Never", initContainers },
      containers: [container("app", "/app/tell.mjs")],
      volumes: ["work", "own-tmp"].map((name) => ({ name, emptyDir: {} })),
    },
  });
}

const phase = () => (kube.get("pods", "prod", "step")?.status as { phase?: string } | undefined)?.phase;

async function printed(uid: string): Promise<string> {
  let text = "";
  for await (const chunk of podLogs(dir)({ uid })) text += Buffer.from(chunk).toString();
  return text;
}

it("is prepared by one container after the other, which share its folders with it", async () => {
  const { metadata } = pod(
    container("one", "/app/prepare.mjs", "first"),
    container("two", "/app/prepare.mjs", "second"),
  );

  await until(() => phase() === "Succeeded", { what: "the pod's end", timeoutMs: 30_000 });

  expect(await printed(metadata.uid as string)).toBe("first second \n");
});

it("ends with the container that could not prepare it, in that one's words, and its own does not start", async () => {
  pod(container("one", "/app/fail.mjs"), container("two", "/app/prepare.mjs", "second"));

  await until(() => phase() === "Failed", { what: "the pod's end", timeoutMs: 30_000 });

  expect(kube.get("pods", "prod", "step")?.status).toMatchObject({
    containerStatuses: [{ state: { terminated: { exitCode: 4, message: "no way" } } }],
  });
});
