import { StringDecoder } from "node:string_decoder";
import { Unusable } from "../exit-codes.ts";

/** As much of a terminal as is needed. */
export type Terminal = AsyncIterable<Uint8Array | string> & { setRawMode(raw: boolean): unknown };

const controls = { interrupt: "\u0003", backspace: "\u007f", eraseLine: "\u0015" };
const ends = ["\r", "\n", "\u0004"];

/**
 * One line from a terminal that does not show it. Backspace and Ctrl-U correct it; Ctrl-C gives up. What is pasted ends at its first line end:
 * values of several lines come from a file.
 */
export async function readHidden(
  input: Terminal,
  output: { write(text: string): unknown },
  prompt: string,
): Promise<string> {
  output.write(prompt);
  input.setRawMode(true);
  const decoder = new StringDecoder("utf8");
  const value: string[] = [];
  try {
    for await (const chunk of input) {
      const typed = [...decoder.write(Buffer.from(chunk))];
      const end = typed.findIndex((character) => ends.includes(character));
      for (const character of end < 0 ? typed : typed.slice(0, end)) edit(value, character);
      if (end >= 0) break;
    }
    return value.join("");
  } finally {
    input.setRawMode(false);
    output.write("\n");
  }
}

function edit(value: string[], character: string): void {
  if (character === controls.interrupt) throw new Unusable("Given up: nothing was set.");
  if (character === controls.eraseLine) value.length = 0;
  else if (character === controls.backspace || character === "\b") value.pop();
  else value.push(character);
}
