import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { s3Objects } from "@slipway/objects";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { moveLogs } from "../src/move-logs.ts";
import { type KeptLogs, keptLogs, logText } from "./kept-logs.ts";

let kept: KeptLogs;
const sockets = new Set<Socket>();
/** Takes every connection and never says a word. */
const silent = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
beforeAll(async () => {
  kept = await keptLogs();
  await once(silent.listen(0, "127.0.0.1"), "listening");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "me");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "of-the-test");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  for (const socket of sockets) socket.destroy();
  silent.close();
  await kept.close();
});

test("a store that takes connections and never answers is told to whoever reads the log", async () => {
  const id = await kept.ended();
  await moveLogs(kept.places, 1_000);
  const { port } = silent.address() as AddressInfo;
  const objects = s3Objects({ url: `s3://slipway?endpoint=http://127.0.0.1:${port}&region=us-east-1` });

  await expect(logText({ ...kept.places, objects }, id)).rejects.toMatchObject({
    code: "unavailable",
    message: `The log of ${id} is in the object store, and cannot be read now: it has not answered for 8 s.`,
  });
}, 30_000);
