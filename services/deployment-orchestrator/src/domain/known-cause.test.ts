import { expect, test } from "vitest";
import { knownCause } from "./known-cause.ts";

const write = "; a write was refused: a pod can write below /tmp alone, its image is read-only";
const port = "; its port is taken: each pod is told a port of its own in $PORT, on which it has to listen";

test.each([
  ["Error: EROFS: read-only file system, open '/app/data.json'", write],
  ["Error: ENOENT: no such file or directory, mkdir 'data'", write],
  ["Error: EACCES: permission denied, mkdir '/app/data'", write],
  ["OSError: [Errno 30] Read-only file system: 'data'", write],
  ["PermissionError: [Errno 13] Permission denied: '/app/data'", write],
  ["panic: mkdir data: read-only file system", write],
  ["2026/03/01 08:00:00 open data/orders.db: permission denied", write],
  ["Error: listen EADDRINUSE: address already in use 127.0.0.1:3456", port],
  ["OSError: [Errno 98] Address already in use", port],
  ["listen tcp :8080: bind: address already in use", port],
  [
    "Error: listen EACCES: permission denied 0.0.0.0:80",
    "; it may not have its port: each pod is told one in $PORT, on which it has to listen",
  ],
])("a program that says %s is told what to do", (line, hint) => {
  expect(knownCause(["starting", line, "    at node:fs"])).toBe(hint);
});

test.each(["Error: ENOENT: no such file or directory, open '/app/config.json'", "connect ECONNREFUSED 127.0.0.1:5432"])(
  "a program that says %s is told nothing",
  (line) => {
    expect(knownCause([line])).toBe("");
  },
);
