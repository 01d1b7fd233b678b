import type { Digest, GitSha, ImportId, Instant, ServiceName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { type ImageImport, type ImportInput, importMachine } from "./image-import.ts";

const now = "2026-11-23T10:00:00.000Z" as Instant;
const later = "2026-11-23T10:05:00.000Z" as Instant;
const digest = `sha256:${"a".repeat(64)}` as Digest;
const gitSha = "b".repeat(40) as GitSha;
const request = { id: "I-1" as ImportId, service: "shop" as ServiceName } as ImageImport["request"];
const copying: ImageImport = { phase: "copying", request };
const registered: ImportInput = { type: "Registered", digest, gitSha, now };
const failed: ImportInput = { type: "CopyFailed", reason: "ghcr.io did not answer", now };

test("a copy ends registered, with what runs here, or failed, with why", () => {
  expect(importMachine.decide(copying, registered)).toMatchObject({
    state: { phase: "registered", digest, gitSha, endedAt: now },
    commands: [],
  });
  expect(importMachine.decide(copying, failed)).toMatchObject({
    state: { phase: "failed", reason: "ghcr.io did not answer" },
    commands: [],
  });
});

test.each([registered, failed])("no fact changes what has ended: %o", (input) => {
  const first = importMachine.decide(copying, input);
  if (first.kind !== "step") throw new Error("a fact was refused");
  for (const fact of [registered, failed]) {
    expect(importMachine.decide(first.state, { ...fact, now: later })).toEqual({
      kind: "step",
      state: first.state,
      commands: [],
    });
  }
});
