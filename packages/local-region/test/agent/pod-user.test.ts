import { readFile } from "node:fs/promises";
import { until } from "@slipway/testkit";
import { expect, it } from "vitest";
import { readStates } from "../../src/agent/state-files.ts";
import { agentOfEachTest } from "../support/agent-of-each-test.ts";
import { placeImageOf } from "../support/node-image.ts";

/** Says who it is, and whether it may write what is not its own, and stays. */
const who = `
import { readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
const status = readFileSync("/proc/self/status", "utf8");
const ids = (name) => status.split("\\n").find((line) => line.startsWith(name + ":")).split("\\t").slice(1);
const attempt = (path) => { try { writeFileSync(path, ""); return "written"; } catch (error) { return error.code; } };
const { username } = userInfo();
console.log(JSON.stringify({
  username, uids: ids("Uid"), gids: ids("Gid"), capabilities: ids("CapEff"), tmp: attempt("/tmp/x"), app: attempt("/app/x"),
}));
setInterval(() => undefined, 1_000);
`;

const { kube, dir, imagesDir, printed } = agentOfEachTest({ "who.mjs": who });

async function run(user: string) {
  const image = await placeImageOf(imagesDir(), user);
  const container = { name: "app", image, command: ["node", "/app/who.mjs"] };
  return kube().put("pods", {
    metadata: { name: "who", namespace: "prod" },
    spec: { nodeName: "n1", terminationGracePeriodSeconds: 1, containers: [container] },
  });
}

it.each([
  ["4242:4243", "4242", "4243", "pod"],
  ["app", "1000", "1000", "app"],
])(
  "a pod of an image whose USER is %s sees itself as that, without being it on the machine",
  async (user, uid, gid, name) => {
    const pod = await run(user);
    await until(async () => (await printed(pod.metadata.uid)).endsWith("\n"), { what: "the pod's word" });

    expect(JSON.parse(await printed(pod.metadata.uid))).toEqual({
      ...{ username: name, uids: [uid, uid, uid, uid], gids: [gid, gid, gid, gid] },
      ...{ capabilities: ["0000000000000000"], tmp: "written", app: "EROFS" },
    });
    const [state] = await readStates(dir());
    const inner = typeof state?.process === "object" ? state.process?.inner.pid : undefined;
    const outside = await readFile(`/proc/${inner}/status`, "utf8");
    const onMachine = /^Uid:\s+(\d+)/m.exec(outside)?.[1];
    const agentsOwn = String(process.getuid?.());
    if (agentsOwn === "0") expect([undefined, "0", uid]).not.toContain(onMachine);
    else expect(onMachine).toBe(agentsOwn);
  },
);

it("a pod of an image whose USER nobody knows does not start, and says so", async () => {
  await run("stranger");

  const message = () => {
    const status = kube().get("pods", "prod", "who")?.status as
      | { containerStatuses: { lastState: { terminated?: { message?: string } } }[] }
      | undefined;
    return status?.containerStatuses[0]?.lastState.terminated?.message ?? "";
  };
  await until(() => message().includes("runs as stranger, whom its /etc/passwd does not name"), { what: "the reason" });
});
