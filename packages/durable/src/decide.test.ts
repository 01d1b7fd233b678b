import { addMs, type Instant, instant, type Refusal, refuse } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import { type Applied, applyInput as applyAny, applyFact, workingRow } from "./decide.ts";
import { defineMachine } from "./define-machine.ts";

type State = { readonly phase: "open" | "closed"; readonly count: number };
type Command = { readonly type: "go"; readonly name: string; readonly survives?: boolean; readonly at?: Instant };
type Input =
  | { readonly type: "add"; readonly commands: readonly Command[]; readonly supersedes?: true; readonly close?: true }
  | { readonly type: "ignore" }
  | { readonly type: "forbid" }
  | { readonly type: "break" };

const now = instant("2026-01-05T09:00:00.000Z");

const definition = defineMachine<State, Input, Command>({
  machine: {
    name: "counter",
    terminal: ["closed"],
    decide(state, input) {
      if (input.type === "break") throw new Error("broken");
      if (input.type === "forbid") return refuse("no", "never");
      if (input.type === "ignore") return { kind: "step", state, commands: [] };
      const next: State = { phase: input.close ? "closed" : state.phase, count: state.count + 1 };
      return { kind: "step", state: next, commands: input.commands, ...(input.supersedes ? { supersedes: true } : {}) };
    },
  },
  lane: () => "main",
  runAfter: (command) => command.at,
  survives: (command) => command.survives ?? false,
  perform: async () => ({ kind: "done" }),
});

function row(phase: State["phase"] = "open") {
  const state: State = { phase, count: 0 };
  return workingRow({ kind: "counter", id: "1", state, version: 7, generation: 3, format: 1, updatedAt: now });
}

function applyInput(
  of: typeof definition,
  subject: ReturnType<typeof row>,
  input: Input,
  at: Instant,
): Applied | Refusal {
  return applyAny(of, subject, input, at);
}

const add = (...names: string[]): Input => ({ type: "add", commands: names.map((name) => ({ type: "go", name })) });
const emittedNames = (of: ReturnType<typeof row>): string[] =>
  of.emitted.map(({ command }) => (command as Command).name);

describe("applyInput", () => {
  test("a step raises the version and emits its commands in order, stamped with the generation", () => {
    const subject = row();

    const answer = applyInput(definition, subject, add("a", "b"), now);

    expect(answer).toEqual({ kind: "applied", state: { phase: "open", count: 1 }, version: 8 });
    expect(emittedNames(subject)).toEqual(["a", "b"]);
    expect(subject.emitted[0]).toMatchObject({ lane: "main", generation: 3, timer: false, runAfter: now });
  });

  test.each<Input>([{ type: "ignore" }, { type: "forbid" }])("%j writes nothing", (input) => {
    const subject = row();

    applyInput(definition, subject, input, now);

    expect(subject).toEqual(row());
  });

  test("a decision that throws has changed nothing", () => {
    const subject = row();
    applyInput(definition, subject, add("a"), now);
    const before = structuredClone(subject);

    expect(() => applyInput(definition, subject, { type: "break" }, now)).toThrow("broken");

    expect(subject).toEqual(before);
  });

  test("superseding raises the generation and voids what was emitted before it, even in the same batch", () => {
    const subject = row();
    applyInput(
      definition,
      subject,
      {
        ...add("a", "b"),
        commands: [
          { type: "go", name: "a" },
          { type: "go", name: "event", survives: true },
        ],
      } as Input,
      now,
    );

    applyInput(definition, subject, { ...add("new"), supersedes: true } as Input, now);

    expect(subject.generation).toBe(4);
    expect(emittedNames(subject)).toEqual(["event", "new"]);
    expect(subject.emitted.map((command) => command.generation)).toEqual([3, 4]);
  });

  test("a command with a time is a timer in no lane", () => {
    const subject = row();

    applyInput(definition, subject, { type: "add", commands: [{ type: "go", name: "t", at: addMs(now, 5_000) }] }, now);

    expect(subject.emitted[0]).toMatchObject({ lane: null, timer: true, runAfter: "2026-01-05T09:00:05.000Z" });
  });

  test("the end voids the timers of before and keeps those that it sets itself", () => {
    const subject = row();
    const timer = (name: string): Command => ({ type: "go", name, at: addMs(now, 5_000) });
    applyInput(definition, subject, { type: "add", commands: [timer("old"), { type: "go", name: "plain" }] }, now);

    applyInput(definition, subject, { type: "add", close: true, commands: [timer("collect")] }, now);

    expect(subject.ended).toBe(true);
    expect(emittedNames(subject)).toEqual(["plain", "collect"]);
  });
});

test("a fact for a machine that has ended is dropped without a decision", () => {
  const subject = row("closed");

  const answer = applyFact(definition, subject, { type: "break" }, now);

  expect(answer).toMatchObject({ kind: "applied", version: 7 });
  expect(subject).toEqual(row("closed"));
});
