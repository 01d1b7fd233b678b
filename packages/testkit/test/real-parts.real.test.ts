import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type RealPart, realPart, startPrometheus, startRedis, startS3 } from "../src/index.ts";
import { listens } from "./listens.ts";

const redis = realPart("redis");
const versitygw = realPart("versitygw");
const prometheus = realPart("prometheus");

/** Each server answers when `start` returns; so what is left to see is that it comes again, and that it goes. */
const servers = [
  { name: "Redis", part: redis, start: startRedis },
  { name: "S3", part: versitygw, start: startS3 },
  {
    name: "Prometheus",
    part: prometheus,
    start: (part: RealPart) => startPrometheus(part, { url: "http://127.0.0.1:9/metrics" }),
  },
];

describe.each(servers)("a real $name", ({ part, start }) => {
  test.skipIf(part === undefined)("answers, comes again after a kill, and leaves nothing behind", async () => {
    const server = await start(part!);

    await server.kill();
    expect(await listens(server.port)).toBe(false);
    await server.start();
    expect(await listens(server.port)).toBe(true);

    await server.stop();
    expect(await listens(server.port)).toBe(false);
    expect(existsSync(server.dir)).toBe(false);
  });
});
