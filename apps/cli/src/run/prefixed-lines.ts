import { StringDecoder } from "node:string_decoder";

/** Turns chunks of a step's output into whole lines that begin with its name. */
export function prefixedLines(name: string, print: (line: string) => void) {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const take = (text: string): void => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) print(`${name} | ${line.replace(/\r$/, "")}`);
  };
  return {
    write: (chunk: Uint8Array): void => take(decoder.write(Buffer.from(chunk))),
    end: (): void => {
      take(decoder.end());
      if (rest !== "") print(`${name} | ${rest}`);
      rest = "";
    },
  };
}
