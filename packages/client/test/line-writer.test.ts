import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

const lines = 3_000_000;
/** In bursts, as lines come from elsewhere: a plain `stdout.write` of each ends in EINVAL. */
const program = `
import { lineWriter } from ${JSON.stringify(new URL("../src/line-writer.ts", import.meta.url).href)};
const print = lineWriter(process.stdout);
let line = 0;
const burst = () => {
  for (let left = 50_000; left > 0 && line < ${lines}; left -= 1, line += 1) print("flood | y\\n");
  if (line < ${lines}) setImmediate(burst);
  else print("the end\\n");
};
burst();
`;

test("a flood of lines into a pipe that is read slowly arrives whole, and nothing breaks", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  let bytes = 0;
  let last = "";
  for await (const piece of child.stdout as AsyncIterable<Buffer>) {
    bytes += piece.byteLength;
    last = piece.toString();
  }

  expect(await exited).toEqual([0, null]);
  expect(bytes).toBe(lines * "flood | y\n".length + "the end\n".length);
  expect(last.endsWith("the end\n")).toBe(true);
});
