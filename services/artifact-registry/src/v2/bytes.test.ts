import fc from "fast-check";
import { expect, test } from "vitest";
import { firstBytes, pieces, readAll } from "./bytes.ts";

async function* streamOf(chunks: readonly Uint8Array[]) {
  yield* chunks;
}

const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 });

test("pieces of a stream are all of its bytes, each full but the last", async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 60 }), async (given, size) => {
      const found: Uint8Array[] = [];
      for await (const piece of pieces(streamOf(given), size)) found.push(await readAll(piece, 1_000));

      expect(Buffer.concat(found)).toEqual(Buffer.concat(given));
      expect(found.slice(0, -1).every((piece) => piece.byteLength === size)).toBe(true);
    }),
  );
});

test("the first bytes of a stream are never more than asked for", async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.nat(100), async (given, count) => {
      expect(await readAll(firstBytes(streamOf(given), count), 1_000)).toEqual(Buffer.concat(given).subarray(0, count));
    }),
  );
});

test("more bytes than allowed are refused", async () => {
  await expect(readAll(streamOf([new Uint8Array(11)]), 10)).rejects.toMatchObject({
    code: "SIZE_INVALID",
    status: 413,
  });
});
