import { expect, test } from "vitest";
import { readHidden } from "./read-hidden.ts";

/** A terminal on which this is typed, in these pieces. */
function typed(...chunks: readonly (string | Uint8Array)[]) {
  const modes: boolean[] = [];
  const shown: string[] = [];
  const input = {
    setRawMode: (raw: boolean) => modes.push(raw),
    async *[Symbol.asyncIterator]() {
      yield* chunks;
    },
  };
  return { modes, shown, read: () => readHidden(input, { write: (text: string) => shown.push(text) }, "DB_URL: ") };
}

test("what is typed is read up to Enter and not shown, and the terminal is as before", async () => {
  const terminal = typed("hun", "ter2", "\rmore");

  expect(await terminal.read()).toBe("hunter2");
  expect(terminal.shown.join("")).toBe("DB_URL: \n");
  expect(terminal.modes).toEqual([true, false]);
});

test("it can be corrected, and its characters may arrive in pieces", async () => {
  const bytes = Buffer.from("é");

  expect(await typed("abc\u007f\u007fx", "\r").read()).toBe("ax");
  expect(await typed("wrong\u0015right\n").read()).toBe("right");
  expect(await typed(bytes.subarray(0, 1), bytes.subarray(1), "\r").read()).toBe("é");
});

test("Ctrl-C sets nothing and leaves the terminal as before", async () => {
  const terminal = typed("hunt\u0003er2\r");

  await expect(terminal.read()).rejects.toThrow(/nothing was set/);
  expect(terminal.modes).toEqual([true, false]);
});
