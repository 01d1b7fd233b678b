import { expect, test } from "vitest";
import { type CacheUse, keyOf } from "./cache-key.ts";

const use: CacheUse = {
  service: "orders",
  step: "deps",
  run: "npm ci",
  env: { A: "1", B: "2" },
  tools: "node v24.1.0, x64",
  paths: ["~/.npm"],
};
const contents = [["package-lock.json", "abc"]] as const;

test("the same use and the same content have the same key, in whatever order variables are written", () => {
  expect(keyOf(use, contents)).toBe(keyOf({ ...use, env: { B: "2", A: "1" } }, [["package-lock.json", "abc"]]));
});

test.each<[string, Partial<CacheUse>]>([
  ["service", { service: "billing" }],
  ["step", { step: "other" }],
  ["command", { run: "npm ci --omit=dev" }],
  ["variable", { env: { A: "1", B: "3" } }],
  ["toolchain or image", { tools: "node:24@sha256:1" }],
  ["folder", { paths: ["~/.npm", "node_modules"] }],
])("another %s has another key", (_what, changed) => {
  expect(keyOf({ ...use, ...changed }, contents)).not.toBe(keyOf(use, contents));
});

test("another content has another key, and so has the same content under another name", () => {
  expect(keyOf(use, [["package-lock.json", "abd"]])).not.toBe(keyOf(use, contents));
  expect(keyOf(use, [["other.json", "abc"]])).not.toBe(keyOf(use, contents));
});
