import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { logLines } from "./log-lines.ts";
import { maskerFor } from "./masker.ts";

/** As generated, so that no part of one stands in what is printed around it. */
const secretLine = fc
  .string({ unit: fc.constantFrom(..."ABCDEFGHJKLMNPQRSTUVWXYZ23456789%\\\"'/+=&? é€😀"), minLength: 6, maxLength: 90 })
  .filter((text) => text.trim().length >= 6 && text.trim() === text);
const secret = fc.array(secretLine, { minLength: 1, maxLength: 4 }).map((lines) => lines.join("\n"));
const around = fc.string({ unit: fc.constantFrom(..."abcdefghijk lmno:-_"), maxLength: 60 });

const json = (text: string): string => JSON.stringify(text).slice(1, -1);
const escaped = (text: string): string =>
  [...Array(text.length).keys()].map((i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, "0")}`).join("");
const everyByte = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

/** Encodings of a whole value, as tools and libraries write it on one line. */
const encodings: Readonly<Record<string, (text: string) => string>> = {
  JSON: json,
  "JSON in JSON": (text) => json(json(text)),
  "escapes of code units": escaped,
  encodeURIComponent: encodeURIComponent,
  "a form's URL encoding": (text) => new URLSearchParams([["", text]]).toString().slice(1),
  "every byte by percent": everyByte,
  hex: (text) => Buffer.from(text).toString("hex"),
  HEX: (text) => Buffer.from(text).toString("hex").toUpperCase(),
};

/** In pieces that end anywhere, also within a character. */
function printed(text: string, cuts: readonly number[], secrets: readonly string[]): string {
  const bytes = Buffer.from(text);
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const lines = logLines("", secrets);
  return (
    places
      .slice(1)
      .map((to, i) => lines.push(bytes.subarray(places[i], to)))
      .join("") + lines.end()
  );
}
const cuts = fc.array(fc.nat(), { maxLength: 6 });

/** True when some `length` characters in a row of a text stand in another. */
function shares(a: string, b: string, length: number): boolean {
  for (let at = 0; at + length <= a.length; at += 1) if (b.includes(a.slice(at, at + length))) return true;
  return false;
}

describe("whatever stands around it and however the output is split, a log does not show", () => {
  test("a value as it is, over all its lines", () => {
    fc.assert(
      fc.property(secret, around, around, cuts, (value, before, after, at) => {
        const log = printed(`${before}${value}${after}\n`, at, [value]);
        for (const line of value.split("\n")) expect(log).not.toContain(line);
      }),
    );
  });

  for (const [name, encode] of Object.entries(encodings)) {
    test(`a value in ${name}`, () => {
      fc.assert(
        fc.property(secret, around, around, cuts, (value, before, after, at) => {
          const form = encode(value);
          const log = printed(`${before}${form}${after}\n`, at, [value]);
          expect(log).not.toContain(form);
          expect(shares(form, log, 100)).toBe(false);
          if (value.split("\n").every((line) => line.length >= 6)) {
            const lower = log.replaceAll("***", "");
            for (const line of value.split("\n")) expect(lower).not.toContain(encode(line));
          }
        }),
      );
    });
  }

  test("a value in base64 behind and before other bytes, in both alphabets, broken into lines of any width", () => {
    fc.assert(
      fc.property(
        ...([secret, around, around, cuts, fc.boolean(), fc.integer({ min: 20, max: 100 })] as const),
        (value, before, after, at, url, width) => {
          const text = Buffer.from(`${before}${value}${after}`).toString(url ? "base64url" : "base64");
          const wrapped = text.replaceAll(new RegExp(`(.{${width}})`, "g"), "$1\n");

          const log = printed(`${wrapped}\n`, at, [value]);

          const shown = Buffer.from(log.replaceAll("***", "").replaceAll("\n", ""), "base64").toString("latin1");
          for (const line of value.split("\n")) {
            expect(log).not.toContain(Buffer.from(line).toString("base64").replace(/.?=*$/, ""));
            expect(shown).not.toContain(Buffer.from(line).toString("latin1"));
          }
        },
      ),
    );
  });

  test("a short value in the URL alphabet of base64 whose line breaks within it", () => {
    const value = "A?AAAAAA";
    const text = Buffer.from(`aaaaaaaaaa${value}`).toString("base64url");
    const log = printed(`${text.slice(0, 20)}\n${text.slice(20)}\n`, [], [value]);

    const shown = Buffer.from(log.replaceAll("***", "").replaceAll("\n", ""), "base64").toString("latin1");
    expect(shown).not.toContain(value);
  });

  test("any sixteen characters in a row of a value", () => {
    const long = fc.string({
      unit: fc.constantFrom(..."ABCDEFGHJKLMNPQRSTUVWXYZ23456789"),
      minLength: 16,
      maxLength: 300,
    });
    fc.assert(
      fc.property(long, fc.nat(), fc.nat(), around, cuts, (value, from, more, before, at) => {
        const start = from % (value.length - 15);
        const part = value.slice(start, start + 16 + (more % (value.length - start - 15)));
        const log = printed(`${before}${part}${before}\n`, at, [value]);
        expect(shares(value, log, 16)).toBe(false);
      }),
    );
  });

  test("a value where a line without end is cut", () => {
    fc.assert(
      fc.property(secretLine, fc.integer({ min: 16_200, max: 16_900 }), cuts, fc.nat(3), (value, width, at, times) => {
        const log = printed(`${"-".repeat(width)}${value}`.repeat(times + 1), at, [value]);
        expect(log).not.toContain(value);
        // Nor in two pieces, on both sides of the cut.
        expect(log.replaceAll("\n", "").replaceAll("-", "")).toMatch(/^\**$/);
      }),
      { numRuns: 20 },
    );
  });
});

test("what is no secret stays as it is", () => {
  fc.assert(
    fc.property(fc.array(secret, { maxLength: 3 }), fc.array(around, { maxLength: 20 }), cuts, (values, lines, at) => {
      const text = lines.map((line) => `${line}\n`).join("");
      expect(printed(text, at, values)).toBe(text);
    }),
  );
});

test("masking again changes nothing", () => {
  fc.assert(
    fc.property(secret, around, (value, before) => {
      const mask = maskerFor([value]);
      const once = mask(`${before}${value}${before}`);
      expect(mask(once)).toBe(once);
    }),
  );
});

test("a key of many lines is masked line by line, and as base64(1) prints it", () => {
  const lines = Array.from({ length: 12 }, (_, i) => Buffer.alloc(48, i * 7 + 1).toString("base64"));
  const key = `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\nab\n-----END PRIVATE KEY-----\n`;
  const wrapped = Buffer.from(key)
    .toString("base64")
    .replaceAll(/(.{76})/g, "$1\n");

  const log = printed(`${key}${wrapped}\n`, [], [key]);

  expect(log).toMatch(/^[*\n]*$/);
});

test("a secret that repeats itself a thousand times is masked too", () => {
  const value = `${"ab".repeat(5_000)}end`;

  const log = printed(`x ${value} y\n`.repeat(2), [], [value]);

  expect(log).toBe("x *** y\n".repeat(2));
});
