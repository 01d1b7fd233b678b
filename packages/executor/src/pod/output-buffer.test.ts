import { expect, test } from "vitest";
import { outputBuffer } from "./output-buffer.ts";

async function textOf(read: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of read) text += Buffer.from(chunk).toString();
  return text;
}

test("each reader has everything from its place on, whether it came before, meanwhile or after the end", async () => {
  const output = outputBuffer();
  const early = textOf(output.read(0));
  output.add(Buffer.from("one "));
  const behind = textOf(output.read(2));
  output.add(Buffer.from("two "));
  await Promise.resolve();
  const far = textOf(output.read(8));
  output.add(Buffer.from("three"));
  output.end();

  expect(await Promise.all([early, behind, far, textOf(output.read(6)), textOf(output.read(99))])).toEqual([
    "one two three",
    "e two three",
    "three",
    "o three",
    "",
  ]);
});

test("what is added is kept as it was", async () => {
  const output = outputBuffer();
  const chunk = Buffer.from("kept");
  output.add(chunk);
  chunk.fill("x");
  output.end();

  expect(await textOf(output.read(0))).toBe("kept");
});
