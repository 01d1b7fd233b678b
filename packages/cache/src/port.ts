/**
 * Answers about a subject, kept as texts for a short time and until something about the subject changes. A subject has an *edition*: whoever changes it forgets it
 * once that is committed, which gives it a new one, and what was read under the old one is not kept any more. So an answer from before a change never
 * follows it, wherever it was read; where a change is not told (its process died, or did not reach what others reach), answers are as old as the cache lets them become.
 *
 * Nothing here rejects or waits long: a cache that is away, slow, empty or full of something else only costs what it would have saved.
 */
export type Cache = {
  /** The answer, or null where there is none, and the subject's edition; undefined while the cache is of no use. */
  look(subject: string, question: string): Promise<Look | undefined>;
  /** Kept only while the subject is still of this edition. */
  keep(subject: string, edition: string, question: string, answer: string): Promise<void>;
  /** Forgets every answer about the subject. Once it resolves nobody is given one of before, or the cache could not be reached in time. */
  forget(subject: string): Promise<void>;
  close(): Promise<void>;
};

export type Look = { readonly edition: string; readonly answer: string | null };
