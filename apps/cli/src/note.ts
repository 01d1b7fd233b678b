import { lineWriter } from "@slipway/client";

const sayBeside = lineWriter(process.stderr);

/** What is said beside the answer: on stderr, so that --json and pipes stay clean. */
export function note(text: string): void {
  sayBeside(`${text}\n`);
}

/** Says what a command waits for, each reason once: one that looks again and again meets the same many times. */
export function noteWaits(): (why: string) => void {
  const said = new Set<string>();
  return (why) => {
    if (said.has(why)) return;
    said.add(why);
    note(`Still trying: ${why.replace(/\.$/, "")} ...`);
  };
}
