import fc from "fast-check";
import { expect, test } from "vitest";
import { logLines } from "./log-lines.ts";
import { lineMasker, maskerFor } from "./masker.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function through(chunks: readonly Uint8Array[], secrets: readonly string[] = [], prefix = "unit | "): string {
  const lines = logLines(prefix, secrets);
  return chunks.map((chunk) => lines.push(chunk)).join("") + lines.end();
}

test("whole lines come out at once, the rest with the next chunk or at the end", () => {
  const lines = logLines("unit | ", []);

  expect(lines.push(bytes("one\ntw"))).toBe("unit | one\n");
  expect(lines.push(bytes("o\r\nthree"))).toBe("unit | two\n");
  expect(lines.end()).toBe("unit | three\n");
  expect(lines.end()).toBe("");
});

test("what is not UTF-8 becomes text", () => {
  expect(through([Uint8Array.of(0x61, 0xff, 0x00, 0x0a)])).toBe("unit | a\ufffd\u2400\n");
});

test("a secret is masked in every form in which it is likely to be printed", () => {
  const secret = "s3cret/with+chars";
  const forms = [
    secret,
    Buffer.from(secret).toString("hex"),
    encodeURIComponent(secret),
    ...["", "x", "xy"].map((before) => Buffer.from(`${before}${secret}`).toString("base64")),
  ];

  for (const form of forms) {
    const masked = maskerFor([secret])(`before ${form} after`);
    expect(masked).toContain("***");
    expect(masked.length, masked).toBeLessThan(`before ${form} after`.length);
  }
});

test("every line of a secret of several lines is masked, and short pieces are not", () => {
  const text = "-----BEGIN KEY-----\nabcdefgh12345\nab\n-----END KEY-----";

  expect(maskerFor([text])("key abcdefgh12345, ab")).toBe("key ***, ab");
});

test("no split of the output lets a secret through", () => {
  const secret = "slp_k1_0123456789abcdef";
  const text = bytes(`x ${secret} y\nprefix${secret}\n${secret}`);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 8 }), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), text.length];
      const chunks = places.slice(1).map((to, index) => text.subarray(places[index], to));
      const printed = through(chunks, [secret]);
      expect(printed).not.toContain(secret);
      expect(printed).toBe("unit | x *** y\nunit | prefix***\nunit | ***\n");
    }),
  );
});

test("a secret is masked where a line of megabytes is cut", () => {
  const secret = "0123456789abcdefghij";
  const chunks = Array.from({ length: 400 }, (_, i) => bytes(`${"-".repeat(97 + (i % 7))}${secret}`));

  const printed = through(chunks, [secret]);

  expect(printed).not.toContain(secret);
  expect(printed.split("\n").length).toBeGreaterThan(1);
  expect(printed.match(/\*\*\*/g)?.length).toBeGreaterThan(395);
});

test("lines that come one by one are masked as a whole text is, also where a value goes on in the next line", () => {
  const mask = lineMasker(["s3cret-value", "one\ntwo\nthree-lines"]);

  expect(["got s3cret-value", "nothing", "one", "two", "three-lines"].map(mask)).toEqual([
    ...["got ***", "nothing", "one", "two", "***"],
  ]);
});
