import { until } from "@slipway/testkit";
import { expect, it } from "vitest";
import { agentOfEachTest } from "../support/agent-of-each-test.ts";
import type { StubObject } from "../support/kube-stub.ts";
import { testImage } from "../support/node-image.ts";

const programs = {
  "prepare.mjs": 'import { appendFileSync } from "node:fs"; appendFileSync("/work/said", process.argv[2] + " ");',
  "fail.mjs": 'console.log("no way"); process.exit(4);',
  "tell.mjs":
    'import { readFileSync, readdirSync } from "node:fs"; console.log(readFileSync("/work/said", "utf8") + readdirSync("/tmp"));',
};

const { kube, printed } = agentOfEachTest(programs);

const container = (name: string, ...args: string[]) => ({
  ...{ name, image: testImage, command: ["node", ...args] },
  volumeMounts: [
    { name: "work", mountPath: "/work" },
    { name: "own-tmp", mountPath: "/tmp" },
  ],
});

function pod(...initContainers: object[]): StubObject {
  return kube().put("pods", {
    metadata: { name: "step", namespace: "prod" },
    spec: {
      ...{ nodeName: "n1", restartPolicy: "Never", initContainers },
      containers: [container("app", "/app/tell.mjs")],
      volumes: ["work", "own-tmp"].map((name) => ({ name, emptyDir: {} })),
    },
  });
}

const phase = () => (kube().get("pods", "prod", "step")?.status as { phase?: string } | undefined)?.phase;

it("is prepared by one container after the other, which share its folders with it", async () => {
  const { metadata } = pod(
    container("one", "/app/prepare.mjs", "first"),
    container("two", "/app/prepare.mjs", "second"),
  );

  await until(() => phase() === "Succeeded", { what: "the pod's end" });

  expect(await printed(metadata.uid as string)).toBe("first second \n");
});

it("ends with the container that could not prepare it, in that one's words, and its own does not start", async () => {
  pod(container("one", "/app/fail.mjs"), container("two", "/app/prepare.mjs", "second"));

  await until(() => phase() === "Failed", { what: "the pod's end" });

  expect(kube().get("pods", "prod", "step")?.status).toMatchObject({
    containerStatuses: [{ state: { terminated: { exitCode: 4, message: "no way" } } }],
  });
});
