import { createServer } from "node:net";
import { expect, test } from "vitest";
import { keepPort, tryPort } from "./ports.ts";

test("a port that somebody has is not free, and is free again once it is let go", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  expect(await tryPort(port)).toBeUndefined();
  const another = await keepPort(port, new Set());
  expect(another).not.toBe(port);
  await new Promise((resolve) => other.close(resolve));
  expect(await keepPort(port, new Set())).toBe(port);
});

test("a port that somebody has on one address is free on another, and not on every one", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.2", resolve));
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  expect([await tryPort(port), await tryPort(port, "0.0.0.0")]).toEqual([port, undefined]);
  await new Promise((resolve) => other.close(resolve));
});

test("without an earlier port any free one is given", async () => {
  expect(await keepPort(undefined, new Set())).toBeGreaterThan(0);
});

test("no port is given twice, not even one that was chosen twice before", async () => {
  const given = new Set<number>();
  const first = await keepPort(undefined, given);
  const second = await keepPort(first, given);

  expect(second).not.toBe(first);
  expect([...given]).toEqual([first, second]);
});
