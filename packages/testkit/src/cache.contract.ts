import { answering, type Cache, type Look } from "@slipway/cache";
import fc from "fast-check";
import { expect, test } from "vitest";
import { until } from "./until.ts";

export type CacheWorld = {
  readonly cache: Cache;
  /** The same as another process sees it; where there is no other process, the same. */
  readonly elsewhere: Cache;
};

const hourMs = 3_600_000;
let subjects = 0;

/** A subject that no other test uses. */
function freshSubject(): string {
  subjects += 1;
  return `prod/subject-${subjects}`;
}

/** A machine that does something else may make a cache of no use for a moment. */
function lookAt(cache: Cache, subject: string, question: string): Promise<Look> {
  return until(() => cache.look(subject, question), { what: "the cache to be of use" });
}

/** Answers the edition under which it was kept. */
async function keepAt(cache: Cache, subject: string, question: string, answer: string): Promise<string> {
  const kept = async () => {
    const look = await lookAt(cache, subject, question);
    if (look.answer === answer) return look.edition;
    await cache.keep(subject, look.edition, question, answer);
    return undefined;
  };
  return until(kept, { what: "the answer to be kept" });
}

/** What every cache must do. `open` gives one whose answers become so old. */
export function cacheContract(open: (keepMs: number) => CacheWorld): void {
  answers(open);
  editions(open);
  laws(open);
}

function answers(open: (keepMs: number) => CacheWorld): void {
  test("what was kept is found by everybody who asks the same, and by nobody who asks something else", async () => {
    const { cache, elsewhere } = open(hourMs);
    const [one, other] = [freshSubject(), freshSubject()];
    const { edition, answer } = await lookAt(cache, one, "who");
    expect(answer).toBeNull();

    expect(await keepAt(cache, one, "who", "ada")).toBe(edition);

    expect(await lookAt(elsewhere, one, "who")).toEqual({ edition, answer: "ada" });
    expect(await lookAt(elsewhere, one, "since")).toEqual({ edition, answer: null });
    expect((await lookAt(cache, other, "who")).answer).toBeNull();
  });

  test("texts come back as they were, whatever stands in them, in the question and in the subject", async () => {
    const { cache, elsewhere } = open(hourMs);
    const texts = ["", "null", `{"a":"${"ä€🚢\n\t\0".repeat(2_000)}"}`];
    const questions = ["edition", "answer", "a b:c*", "", "🚢"];

    for (const subject of [freshSubject(), `${freshSubject()} *?:[]`])
      for (const question of questions)
        for (const text of texts) {
          await cache.forget(subject);
          await keepAt(cache, subject, question, text);
          expect((await lookAt(elsewhere, subject, question)).answer).toBe(text);
        }
  });

  test("a subject's answers are gone after their time, however late they were kept and however often they are asked for", async () => {
    const keepMs = 300;
    const { cache } = open(keepMs);
    const subject = freshSubject();
    const began = performance.now();
    const { edition } = await lookAt(cache, subject, "who");

    const renewed = async () => {
      await cache.keep(subject, edition, "who", "ada");
      const look = await cache.look(subject, "who");
      return look === undefined || look.edition === edition ? undefined : look;
    };
    expect((await until(renewed, { what: "the answers to go" })).answer).toBeNull();

    expect(performance.now() - began).toBeGreaterThan(keepMs * 0.9);
  });
}

function editions(open: (keepMs: number) => CacheWorld): void {
  test("a subject that is forgotten has no answer left, and an edition that it never had", async () => {
    const { cache, elsewhere } = open(hourMs);
    const [subject, other] = [freshSubject(), freshSubject()];
    await keepAt(cache, other, "who", "grace");
    const had = new Set<string>();
    for (let round = 0; round < 10; round += 1) {
      had.add(await keepAt(cache, subject, "who", "ada"));
      had.add(await keepAt(elsewhere, subject, "since", "noon"));

      await (round % 2 === 0 ? cache : elsewhere).forget(subject);

      for (const each of [cache, elsewhere])
        for (const question of ["who", "since"]) expect((await lookAt(each, subject, question)).answer).toBeNull();
    }
    expect(had.size).toBe(10);
    expect((await lookAt(elsewhere, other, "who")).answer).toBe("grace");
  });

  test("what was read before a change is not kept after it, whether somebody has looked since or not", async () => {
    const { cache, elsewhere } = open(hourMs);
    for (const looks of [true, false]) {
      const subject = freshSubject();
      const before = await lookAt(cache, subject, "who");
      await elsewhere.forget(subject);
      if (looks) await lookAt(elsewhere, subject, "who");

      await cache.keep(subject, before.edition, "who", "of before");

      const after = await lookAt(elsewhere, subject, "who");
      expect(after.answer).toBeNull();
      expect(after.edition).not.toBe(before.edition);
    }
  });
}

const step = fc.record({
  changes: fc.boolean(),
  elsewhere: fc.boolean(),
  /** Turns of the event loop before it begins, and those that its source takes for an answer. */
  after: fc.nat(12),
  takes: fc.nat(6),
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function laws(open: (keepMs: number) => CacheWorld): void {
  test("whoever asks once a change is forgotten is never given what was before it, wherever it was changed and asked", async () => {
    const { cache, elsewhere } = open(hourMs);
    const [here, there] = [answering(cache), answering(elsewhere)];
    const run = async (steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[]) => {
      const subject = freshSubject();
      let value = 0;
      let told = 0;
      const one = async ({ changes, elsewhere: other, after, takes }: (typeof steps)[number]) => {
        await turns(after);
        if (changes) {
          value += 1;
          const changed = value;
          await (other ? elsewhere : cache).forget(subject);
          told = Math.max(told, changed);
          return;
        }
        const known = told;
        const ask = async () => {
          const read = value;
          await turns(takes);
          return read;
        };
        expect(await (other ? there : here)(subject, "value", { read: Number, ask })).toBeGreaterThanOrEqual(known);
      };
      await Promise.all(steps.map(one));
    };

    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 30 }), run), { numRuns: 60 });
  });
}
