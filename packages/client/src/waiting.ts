/** Most of what goes wrong is over by then, and nobody needs to know of it. */
const sayAfterMs = 1_500;

export type Waiting = {
  /** What is waited for now. */
  because(why: string): void;
  /** It has come, or is not waited for any more. */
  end(): void;
};

/** Tells what is waited for where that takes longer than a moment, and again where the reason becomes another one. `first`: the reason until there is a better one. */
export function waitingFor(tell: ((why: string) => void) | undefined, first?: string): Waiting {
  if (tell === undefined) return { because: () => undefined, end: () => undefined };
  let why = first;
  let told: string | undefined;
  let isLong = false;
  const say = () => {
    if (!isLong || why === undefined || why === told) return;
    told = why;
    tell(why);
  };
  const timer = setTimeout(() => {
    isLong = true;
    say();
  }, sayAfterMs);
  return {
    because(reason) {
      why = reason;
      say();
    },
    end() {
      clearTimeout(timer);
      isLong = false;
    },
  };
}
