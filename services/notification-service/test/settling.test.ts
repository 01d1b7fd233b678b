import { artifactTopic, deploymentTopic, listNotifications } from "@slipway/contracts";
import type { RunningHost } from "@slipway/host";
import { testEvent, until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { z } from "zod";
import { type Home, openHome } from "./start-service.ts";

let home: Home;
let host: RunningHost;

beforeAll(async () => {
  home = await openHome();
  host = await home.start();
});
afterAll(async () => {
  await host.stop();
  await home.close();
});

const digest = `sha256:${"0".repeat(64)}`;
const git_sha = "3f2a91c".padEnd(40, "0");
const deployment = {
  ...{ deployment_id: "D-8", service: "orders", environment: "prod", version: "orders-3f2a91c-x7k2p" },
  ...{ digest, git_sha, regions: ["us-east-1"] },
};
const promotion = {
  ...{ promotion_id: "P-1", digest, service: "orders", git_sha },
  ...{ from: "staging", to: "prod", requested_by: "bob" },
};

function say(topic: { readonly name: string }, id: string, type: string, data: object): Promise<unknown> {
  const subject = topic === artifactTopic ? digest : "D-8";
  return home.bus.publish(topic.name, [{ ...testEvent(id, subject, data), type }]);
}

type Listed = z.infer<typeof listNotifications.response>["notifications"];

async function listed(about: string): Promise<Listed> {
  const headers = { authorization: `Bearer ${host.tokens.get("viewer")}` };
  const response = await fetch(`${host.url}${listNotifications.path}`, { headers });
  const { notifications } = listNotifications.response.parse(await response.json());
  return notifications.filter((one) => one.about === about);
}

async function inbox(): Promise<string> {
  const authorization = `Basic ${Buffer.from(`me:${host.tokens.get("viewer")}`).toString("base64")}`;
  return (await fetch(`${host.url}/inbox`, { headers: { authorization } })).text();
}

const settledOnce = (about: string) =>
  until(async () => (await listed(about)).find(({ settled }) => settled != null)?.settled?.how, {
    what: `the notice about ${about} to be settled`,
  });

test("a promotion that waits names the command and the page, and is done once somebody has approved it, by name", async () => {
  await say(artifactTopic, "a-1", "artifact.promotion_requested", { ...promotion, approvals_needed: 1 });
  const asked = await until(async () => (await listed("P-1"))[0], { what: "the notice" });
  expect(asked.text).toContain(`${host.url}/inbox.`);
  expect(asked.text).toMatch(/slipway promotions approve P-1 --as approver$/);
  expect(asked.settled).toBeNull();

  await say(artifactTopic, "a-2", "artifact.promoted", { ...promotion, approved_by: ["alice"] });

  expect(await settledOnce("P-1")).toBe("approved by alice");
  expect(await inbox()).toContain("<strong>Done: approved by alice</strong>");
});

test("a deployment's approval answers what was asked before it, and nothing that is asked after it when it comes again", async () => {
  const approved = { ...deployment, by: "alice", reason: "I looked" };
  await say(deploymentTopic, "d-1", "deployment.approval_requested", { ...deployment, reason: "above 5%" });
  await say(deploymentTopic, "d-2", "deployment.approved", approved);
  expect(await settledOnce("D-8")).toBe("approved by alice");

  await say(deploymentTopic, "d-3", "deployment.approval_requested", { ...deployment, reason: "25%" });
  await say(deploymentTopic, "d-2", "deployment.approved", approved);
  await say(deploymentTopic, "d-4", "deployment.held", { ...deployment, reason: "lunch" });
  await until(async () => (await listed("D-8")).length === 3, { what: "the last notice" });

  expect((await listed("D-8")).map(({ settled }) => settled?.how ?? null)).toEqual([null, null, "approved by alice"]);
});

test("the end of a deployment ends everything that it asked for, and says how it ended", async () => {
  await say(deploymentTopic, "d-5", "deployment.resumed", { ...deployment, by: "ada" });
  await say(deploymentTopic, "d-6", "deployment.restoring", { ...deployment, by: "ada", reason: "I saw it" });
  await until(async () => (await listed("D-8")).every(({ settled, title }) => settled != null || /begun/.test(title)), {
    what: "nothing to be asked any more",
  });

  const [begun, held, asked] = await listed("D-8");
  expect(begun?.title).toMatch(/^Rollback begun/);
  expect([held, asked].map((one) => one?.settled?.how)).toEqual(["resumed by ada", "taken back by ada: I saw it"]);
});
