import { expect, test } from "vitest";
import { waitingText, waitsText } from "./waiting-text.ts";

const halted = { for: "halted by a person", holder: "ada", unblockedBy: "a person resumes it" };

test("who holds a deployment, why, and what lets it go on, are a sentence", () => {
  expect(waitingText({ status: "HELD", waiting: halted })).toBe(
    "held by ada: halted by a person; goes on when: a person resumes it",
  );
});

test("what a deployment waits for is a sentence, with who has it where somebody does", () => {
  const waiting = { for: "the lock of its targets", holder: "D-3", unblockedBy: "D-3 ends" };

  expect(waitsText({ status: "IN_PROGRESS", waiting })).toBe("waiting for the lock of its targets (held by D-3)");
  expect(waitsText({ status: "CANARY_MONITORING", waiting: { for: "a PASS", unblockedBy: "" } })).toBe(
    "waiting for a PASS",
  );
  expect(waitingText({ status: "SUCCEEDED", waiting: null })).toBe("");
});
