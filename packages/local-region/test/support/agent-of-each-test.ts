import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { type Agent, podLogs, startAgent } from "../../src/index.ts";
import { KubeStub } from "./kube-stub.ts";
import { placeNodeImage } from "./node-image.ts";
import { quiet } from "./quiet.ts";

/** An agent on a folder and an API server of its own for each test of the file, and one image with these programs for all of them. */
export function agentOfEachTest(programs: Readonly<Record<string, string>>) {
  let base = "";
  let dir = "";
  let kube: KubeStub;
  let agent: Agent | undefined;
  const imagesDir = () => join(base, "images");
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), "slipway-agents-"));
    await placeNodeImage(imagesDir(), programs);
  });
  afterAll(() => rm(base, { recursive: true, force: true }));
  beforeEach(async () => {
    dir = await mkdtemp(join(base, "agent-"));
    kube = new KubeStub();
    await kube.start();
    const kubeconfig = await kube.kubeconfig(join(dir, "kubeconfig"));
    agent = await startAgent({ region: "test", node: "n1", kubeconfig, dir, imagesDir: imagesDir(), log: quiet });
  });
  afterEach(async () => {
    await agent?.stop({ leavePods: false });
    await kube.die();
  });
  return {
    kube: () => kube,
    dir: () => dir,
    imagesDir,
    /** All that a pod has printed. */
    async printed(uid: string): Promise<string> {
      const chunks: Uint8Array[] = [];
      for await (const chunk of podLogs(dir)({ uid })) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    },
  };
}
