import { expect, test } from "vitest";
import { readOnlyHint } from "./read-only-image.ts";

test.each([
  "Error: EROFS: read-only file system, open '/app/data.json'",
  "Error: ENOENT: no such file or directory, mkdir 'data'",
  "Error: EACCES: permission denied, mkdir '/app/data'",
  "OSError: [Errno 30] Read-only file system: 'data'",
  "PermissionError: [Errno 13] Permission denied: '/app/data'",
  "panic: mkdir data: read-only file system",
  "2026/03/01 08:00:00 open data/orders.db: permission denied",
])("a program that says %s is told where it can write", (line) => {
  expect(readOnlyHint(["starting", line, "    at node:fs"])).toBe(
    "; a write was refused: a pod can write below /tmp alone, its image is read-only",
  );
});

test.each([
  "Error: ENOENT: no such file or directory, open '/app/config.json'",
  "Error: listen EACCES: permission denied 0.0.0.0:80",
  "connect ECONNREFUSED 127.0.0.1:5432",
])("a program that says %s is told nothing of writing", (line) => {
  expect(readOnlyHint([line])).toBe("");
});
