import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { firstBytes, paced, pieces, readAll } from "./bytes.ts";

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

afterEach(() => vi.useRealTimers());

test("an upload stalls where nobody sends for too long, and never because what was sent is not taken yet", async () => {
  vi.useFakeTimers();
  let stalls = 0;
  const paceOf = (bytes: AsyncIterable<Uint8Array>) => paced(bytes, 1_000, () => (stalls += 1));
  const taken = paceOf(streamOf([Uint8Array.of(1), Uint8Array.of(2)]));
  await taken.next();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([stalls, (await taken.next()).value]).toEqual([0, Uint8Array.of(2)]);

  const silent = paceOf(
    (async function* () {
      await new Promise(() => {});
    })(),
  );
  void silent.next();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(stalls).toBe(1);
});
