import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buildTopic, notificationTopic } from "@slipway/contracts";
import { testEvent, until } from "@slipway/testkit";
import { expect, test } from "vitest";
import { openHome } from "./start-service.ts";

const failures = ["B-1", "B-2", "B-3"];

/** A channel that answers late: there is time enough for another replica to send the same. */
async function slowSlack() {
  const texts: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += String(piece);
    texts.push(/B-\d+/.exec(JSON.parse(body).text)?.[0] ?? body);
    setTimeout(() => response.end("ok"), 400);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { texts, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/SECRET` };
}

test("two replicas make each event one notification and send each once", async () => {
  const [home, slack] = [await openHome(), await slowSlack()];
  const env = { SLIPWAY_SLACK_WEBHOOK_URL: slack.url };
  const hosts = [await home.start(env), await home.start(env)];
  try {
    for (const build_id of failures) {
      const data = {
        build_id,
        service: "orders",
        git_sha: "3f2a91c".padEnd(40, "0"),
        reason: "exit code 1",
        step: "unit",
        ms: 5,
      };
      const event = {
        ...testEvent(`failed-${build_id}`, build_id, data),
        type: "build.failed",
        source: "build-service",
      };
      await home.bus.publish(buildTopic.name, [event]);
    }
    const announced = async () => (await home.bus.read(notificationTopic.name, 0, 100)).events;
    await until(async () => (await announced()).length >= failures.length, {
      what: "all to be told",
      timeoutMs: 60_000,
    });

    expect(slack.texts.toSorted()).toEqual(failures);
    expect((await announced()).map(({ subject }) => subject).toSorted()).toEqual(failures);
  } finally {
    for (const host of hosts) await host.stop();
    slack.server.close();
    await home.close();
  }
});
