import type { Cache } from "./port.ts";

export type Asking<Answer> = {
  /** The answer in a text that was kept, or undefined: what lies in a cache may be somebody else's, or another version's. */
  readonly read: (text: string) => Answer | undefined;
  readonly ask: () => Promise<Answer>;
  /** Default: every answer is. */
  readonly worthKeeping?: (answer: Answer) => boolean;
};

/** Answers one question about a subject; those of one question are asked and read in one way. */
export type Answering = <Answer>(subject: string, question: string, asking: Asking<Answer>) => Promise<Answer>;

/**
 * From the cache, or else by asking. Who asks the same at the same time waits for the same answer, but only while the subject is of the same edition: who
 * comes after a change is never given what was begun before it. So without a cache everybody asks alone.
 */
export function answering(cache: Cache): Answering {
  const underWay = new Map<string, Promise<unknown>>();
  return async <Answer>(
    subject: string,
    question: string,
    { read, ask, worthKeeping = () => true }: Asking<Answer>,
  ): Promise<Answer> => {
    const look = await cache.look(subject, question);
    if (look === undefined) return ask();
    const { edition, answer: text } = look;
    const known = text === null ? undefined : read(text);
    if (known !== undefined) return known;
    const same = `${edition} ${question}`;
    const asked = underWay.get(same);
    if (asked !== undefined) return asked as Promise<Answer>;
    const asking = ask()
      .then((answer) => {
        // Nobody waits until it is kept.
        if (worthKeeping(answer)) void cache.keep(subject, edition, question, JSON.stringify(answer));
        return answer;
      })
      .finally(() => underWay.delete(same));
    underWay.set(same, asking);
    return asking;
  };
}
