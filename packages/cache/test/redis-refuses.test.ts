import { type AddressInfo, createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { redisProblem } from "../src/index.ts";

const urlIn = "SLIPWAY_SOME_URL";
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Says this of itself, and refuses all else with these words. */
async function startRefusing(info: string, refusal: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (const [command] of String(data).matchAll(/^(?:info|eval|del|client)\r$/gim)) {
        const isInfo = command.trim().toLowerCase() === "info";
        socket.write(isInfo ? `$${info.length}\r\n${info}\r\n` : `-${refusal}\r\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const standalone = "redis_version:7.4.1\r\nredis_mode:standalone\r\n";

test.each([
  ["MOVED 3999 10.0.0.7:6381", /runs in cluster mode, which is not used here: name a single one/],
  ["CLUSTERDOWN Hash slot not served", /runs in cluster mode/],
  ["OOM command not allowed when used memory > 'maxmemory'.", /has no memory left .*: raise its maxmemory/],
  ["LOADING Redis is loading the dataset in memory", /still loads what it has on its disk: wait until it has/],
  [
    "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.",
    /cannot save to its disk: /,
  ],
  [
    "MASTERDOWN Link with MASTER is down",
    /is a replica that has lost its primary: name the primary in SLIPWAY_SOME_URL/,
  ],
  ["NOREPLICAS Not enough good replicas to write.", /for want of replicas: bring them back/],
  ["READONLY You can't write against a read only replica.", /is a replica: name the primary in SLIPWAY_SOME_URL/],
  ["ERR unknown command 'EVAL', with args beginning with: ", /does not have a command that is needed \(EVAL, /],
  ["ERR max number of clients reached", /has no connection left: raise its maxclients/],
])("a Redis that refuses with %s says what that is and what to do", async (refusal, sentence) => {
  expect(await redisProblem({ url: await startRefusing(standalone, refusal), urlIn })).toMatch(sentence);
});

test.each([
  ["redis_version:7.4.1\r\nredis_mode:cluster\r\n", /runs in cluster mode/],
  ["redis_version:7.2.4\r\nvalkey_version:8.0.1\r\nserver_mode:cluster\r\n", /runs in cluster mode/],
  [
    "redis_version:7.4.1\r\nredis_mode:sentinel\r\n",
    /is a Sentinel, .*: name the primary itself, .* in SLIPWAY_SOME_URL$/,
  ],
])("one that says of itself %j is refused by name", async (info, sentence) => {
  expect(await redisProblem({ url: await startRefusing(info, "ERR no"), urlIn })).toMatch(sentence);
});
