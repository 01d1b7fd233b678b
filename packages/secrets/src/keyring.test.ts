import { randomBytes } from "node:crypto";
import { ProblemError } from "@slipway/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyring, type Place, type Sealed } from "./keyring.ts";
import { parseKey, type SecretKey } from "./keys.ts";

const newKey = (): SecretKey => parseKey(randomBytes(32).toString("base64")) ?? expect.fail("no key");
const [first, second] = [newKey(), newKey()];
const ringOf = (owner: string, current: SecretKey | undefined, old: readonly SecretKey[] = []) =>
  keyring({ owner, current, old, file: "/data/secrets/values.key" });
const ring = ringOf("build", first);

const text = fc.string({ unit: "grapheme", maxLength: 400 });
const place = fc.record({ service: text, scope: text, name: text, revision: text });
const orders: Place = { service: "orders", scope: "prod", name: "DB_URL", revision: "1" };

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return error instanceof ProblemError ? error.code : String(error);
  }
  return "nothing was thrown";
};

describe("a box", () => {
  test("opens to what was put in, whatever it is and wherever it belongs", () => {
    fc.assert(fc.property(place, text, (at, value) => ring.open(at, ring.seal(at, value)) === value));
  });

  test("opens nowhere else: not under another service, scope, name or revision, nor for another owner", () => {
    fc.assert(
      fc.property(place, place, text, (at, other, value) => {
        fc.pre(JSON.stringify(at) !== JSON.stringify(other));
        const sealed = ring.seal(at, value);
        expect(codeOf(() => ring.open(other, sealed))).toBe("secret.unreadable");
        expect(codeOf(() => ringOf("deployment", first).open(at, sealed))).toBe("secret.unreadable");
      }),
    );
  });

  test("does not open once a single bit of it is another, or when its end is missing", () => {
    const sealed = ring.seal(orders, "postgres://user:pass@db/orders");
    fc.assert(
      fc.property(fc.nat(sealed.box.length * 8 - 1), (bit) => {
        const box = Buffer.from(sealed.box);
        box[bit >> 3] = (box[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(codeOf(() => ring.open(orders, { ...sealed, box }))).toBe("secret.unreadable");
        const short = { ...sealed, box: sealed.box.subarray(0, bit >> 3) };
        expect(codeOf(() => ring.open(orders, short))).toBe("secret.unreadable");
      }),
    );
  });

  test("holds nothing of the value in clear, and is another one each time", () => {
    const value = "a value that would be seen";
    const boxes = Array.from({ length: 200 }, () => ring.seal(orders, value).box);

    expect(new Set(boxes.map((box) => box.subarray(0, 12).toString("hex"))).size).toBe(200);
    for (const box of boxes) expect(box.includes(value.slice(0, 6))).toBe(false);
  });
});

describe("keys", () => {
  const sealed: Sealed = ring.seal(orders, "before");

  test("a former one goes on opening what it has encrypted, and encrypts nothing any more", () => {
    const rotated = ringOf("build", second, [first]);

    expect(rotated.open(orders, sealed)).toBe("before");
    expect(rotated.seal(orders, "after").keyId).toBe(second.id);
  });

  test("one that is missing is named, with what to do, and the box stays as it is", () => {
    const without = ringOf("build", second);

    expect(without.has(sealed.keyId)).toBe(false);
    expect(() => without.open(orders, sealed)).toThrow(
      expect.objectContaining({
        code: "secret.key_missing",
        message: expect.stringContaining(first.id),
        remedy: expect.stringMatching(/SLIPWAY_SECRETS_KEY.*values\.key.*nothing is lost/),
      }),
    );
    expect(ring.open(orders, sealed)).toBe("before");
  });

  test("without one nothing is encrypted", () => {
    expect(codeOf(() => ringOf("build", undefined).seal(orders, "x"))).toBe("secret.key_missing");
  });

  test("are 32 bytes in base64, base64url or hex, and nothing else", () => {
    const bytes = randomBytes(32);
    const texts = (["base64", "base64url", "hex"] as const).map((encoding) => bytes.toString(encoding));

    expect(new Set(texts.map((each) => parseKey(`${each}\n`)?.id)).size).toBe(1);
    for (const wrong of ["", "password", randomBytes(31).toString("base64"), randomBytes(33).toString("hex")]) {
      expect(parseKey(wrong)).toBeUndefined();
    }
  });

  test("no problem text holds a key or a value", () => {
    const problems = [
      () => ringOf("build", second).open(orders, sealed),
      () => ring.open({ ...orders, name: "OTHER" }, sealed),
    ];
    for (const act of problems) {
      const told = String(JSON.stringify(grab(act), Object.getOwnPropertyNames(grab(act))));
      expect(told).not.toContain("before");
      expect(told).not.toContain(first.bytes.toString("base64").slice(0, 12));
    }
  });
});

function grab(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}
