import { randomUUID } from "node:crypto";
import type { Cache } from "./port.ts";

export type MemoryCacheOptions = {
  /** How old an answer becomes at most, counted from when its subject was first looked for. */
  readonly keepMs: number;
  /** Of these the ones that were looked for last are kept. Default 1,000. */
  readonly subjects?: number;
};

type Kept = { readonly edition: string; readonly until: number; readonly answers: Map<string, string> };

/** Of one subject: who asks more than so much about it is answered, and not kept. */
const largestAnswers = 100;

/** For one process: another one's changes are not known here. */
export function memoryCache({ keepMs, subjects = 1_000 }: MemoryCacheOptions): Cache {
  // All live as long, so that the order in which they came is the order in which they go.
  const kept = new Map<string, Kept>();

  const dropOld = (now: number) => {
    for (const [subject, { until }] of kept) {
      if (until > now && kept.size <= subjects) return;
      kept.delete(subject);
    }
  };

  return {
    async look(subject, question) {
      const now = performance.now();
      dropOld(now);
      const found = kept.get(subject);
      if (found !== undefined) return { edition: found.edition, answer: found.answers.get(question) ?? null };
      const edition = randomUUID();
      kept.set(subject, { edition, until: now + keepMs, answers: new Map() });
      dropOld(now);
      return { edition, answer: null };
    },

    async keep(subject, edition, question, answer) {
      const found = kept.get(subject);
      if (found?.edition === edition && found.answers.size < largestAnswers) found.answers.set(question, answer);
    },

    async forget(subject) {
      kept.delete(subject);
    },

    async close() {
      kept.clear();
    },
  };
}
