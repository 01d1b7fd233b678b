import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";

let server;
let base;

before(async () => {
  const env = { ...process.env, PORT: "0", HOST: "127.0.0.1", SLIPWAY_VERSION: "orders-test" };
  server = spawn(process.execPath, ["dist/server.js"], { env, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(server.stdout, "data");
  base = `http://${/listening on ([0-9.:]+)/.exec(String(line))[1]}`;
});

after(() => server.kill("SIGKILL"));

test("the service says that it is well, and its version", async () => {
  const response = await fetch(`${base}/healthz`);

  assert.equal(response.status, 200);
  assert.equal(response.headers.get("x-version"), "orders-test");
  assert.equal((await response.json()).status, "ok");
});

test("an order that was placed can be read back", async () => {
  const body = JSON.stringify({ item: "lantern", quantity: 2, cents: 3_300 });

  const placed = await (await fetch(`${base}/orders`, { method: "POST", body })).json();
  const read = await (await fetch(`${base}/orders/${placed.id}`)).json();

  assert.equal(placed.total, 6_600);
  assert.deepEqual(read, placed);
});

test("orders are listed", async () => {
  const { orders } = await (await fetch(`${base}/orders`)).json();

  assert.ok(orders.length >= 2);
});

test("what is not there is 404, what is not an order is 400", async () => {
  assert.equal((await fetch(`${base}/orders/o-999`)).status, 404);
  assert.equal((await fetch(`${base}/elsewhere`)).status, 404);
  assert.equal((await fetch(`${base}/orders`, { method: "POST", body: "{" })).status, 400);
});

test("on SIGTERM the service finishes and exits with 0", async () => {
  server.kill("SIGTERM");
  const [code] = await once(server, "exit");

  assert.equal(code, 0);
});
