import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type FaultProxy, startFaultProxy } from "../src/fault-proxy.ts";
import { until } from "../src/until.ts";

let echo: Server;
let proxy: FaultProxy;
const open: Socket[] = [];

beforeAll(async () => {
  echo = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  await once(echo, "listening");
});
afterAll(() => void echo.close());
beforeEach(async () => {
  proxy = await startFaultProxy((echo.address() as AddressInfo).port);
});
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await proxy.stop();
});

/** A connection through the proxy, and what has come back on it. */
async function talk() {
  const socket = connect(proxy.port, "127.0.0.1");
  open.push(socket);
  const heard = { text: "", error: "", ended: false };
  socket.on("data", (data: Buffer) => (heard.text += data.toString()));
  socket.on("error", (error: NodeJS.ErrnoException) => (heard.error = error.code ?? ""));
  socket.on("close", () => (heard.ended = true));
  await once(socket, "connect");
  return { socket, heard, hears: (text: string) => until(() => heard.text === text, { what: `to hear ${text}` }) };
}

test("hands on what is said, and its end", async () => {
  const { socket, heard, hears } = await talk();

  socket.end("hello");

  await hears("hello");
  await until(() => heard.ended, { what: "the end" });
  expect(heard.error).toBe("");
});

test("keeps the order of what it delays, also where the delay becomes shorter meanwhile", async () => {
  const { socket, hears } = await talk();
  proxy.delay(100);
  socket.write("first ");
  await new Promise<void>((sent) => socket.write("second ", () => sent()));
  proxy.delay(1);
  socket.write("third");

  await hears("first second third");
});

test("swallows what is said while it does, also on new connections, and hands on what comes after", async () => {
  const { socket, hears } = await talk();
  proxy.swallow(true);
  socket.write("lost ");
  const late = await talk();
  late.socket.write("lost, too");
  await until(() => proxy.swallowed() === "lost lost, too".length, { what: "both to be swallowed" });
  expect(proxy.deaf()).toBe(2);

  proxy.swallow(false);
  socket.write("heard");

  await hears("heard");
  expect(late.heard.text).toBe("");
});

test("cuts what is open, both ways, and takes new connections", async () => {
  const { heard } = await talk();
  const other = await talk();
  other.socket.write("x");
  await other.hears("x");

  expect(proxy.cut()).toBe(2);

  await until(() => heard.ended && other.heard.ended, { what: "both to end" });
  expect(other.heard.error).toBe("ECONNRESET");
  const next = await talk();
  next.socket.write("again");
  await next.hears("again");
});

test("ends who asks where nobody listens behind it", async () => {
  const nowhere = await startFaultProxy(1);
  const socket = connect(nowhere.port, "127.0.0.1").on("error", () => {});

  await once(socket, "close");
  await nowhere.stop();
});
