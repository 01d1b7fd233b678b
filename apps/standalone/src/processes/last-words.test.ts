import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lastWords } from "./last-words.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "slipway-words-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const said = (text: string) => {
  writeFileSync(join(folder, "log"), text);
  return lastWords(join(folder, "log"));
};

test.each([
  [
    "an error with its stack",
    "node:net:1940\n    throw error;\n    ^\n\nError: listen EADDRINUSE: address already in use 127.0.0.1:40001\n    at Server.listen (node:net:1)\n  code: 'EADDRINUSE'\n}\n\nNode.js v24.21.0\n",
    "Error: listen EADDRINUSE: address already in use 127.0.0.1:40001",
  ],
  [
    "a line of our own log",
    '{"level":30,"msg":"up"}\n{"level":50,"msg":"it broke","err":{"message":"disk full"}}\n',
    "it broke: disk full",
  ],
  ["nothing", "", ""],
])("the last words of %s", (_what, text, words) => {
  expect(said(text)).toBe(words);
});

test("a log of many megabytes is read from its end, and one that is not there says nothing", () => {
  expect(said(`${"x".repeat(5_000_000)}\nError: the end\n`)).toBe("Error: the end");
  expect(lastWords(join(folder, "absent"))).toBe("");
});
