import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { formatToken, hashToken, parseToken, tokenOfHeader } from "./tokens.ts";

const bytes = fc.uint8Array({ minLength: 30, maxLength: 30 });

test("every token that is made is read back, with the hash of the whole", () => {
  fc.assert(
    fc.property(bytes, (random) => {
      const token = formatToken(random);
      expect(parseToken(token)).toEqual({ kid: token.slice(4, 16), hash: hashToken(token) });
    }),
  );
});

test("no single wrong character goes unnoticed", () => {
  fc.assert(
    fc.property(bytes, fc.nat(), fc.constantFrom(..."0123456789abcdefghz_"), (random, place, other) => {
      const token = formatToken(random);
      const at = place % token.length;
      fc.pre(token[at] !== other);
      expect(parseToken(token.slice(0, at) + other + token.slice(at + 1))).toBeUndefined();
    }),
  );
});

test("both schemes carry a token, and nothing else does", () => {
  const token = formatToken(randomBytes(30));
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

  expect(tokenOfHeader(`Bearer ${token}`)).toBe(token);
  expect(tokenOfHeader(`bearer  ${token}`)).toBe(token);
  expect(tokenOfHeader(basic(`x:${token}`))).toBe(token);
  expect(tokenOfHeader(basic("x:with:colons"))).toBe("with:colons");
  expect(tokenOfHeader(basic(token))).toBeUndefined();
  expect(tokenOfHeader(`Digest ${token}`)).toBeUndefined();
  expect(tokenOfHeader(`Bearer ${token} more`)).toBeUndefined();
  expect(tokenOfHeader(undefined)).toBeUndefined();
});
