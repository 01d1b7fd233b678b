import { InvalidObjectKey, type Objects } from "@slipway/objects";
import { expect, test } from "vitest";

const bytes = (text: string) => new TextEncoder().encode(text);

async function* inChunks(...chunks: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    if (chunk instanceof Error) throw chunk;
    yield bytes(chunk);
  }
}

async function text(body: AsyncIterable<Uint8Array> | undefined): Promise<string | undefined> {
  if (body === undefined) return undefined;
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** What every store of objects must do. `make` gives an empty store; `again` opens the same one a second time. */
export function objectsContract(make: () => Promise<{ objects: Objects; again: () => Promise<Objects> }>): void {
  test("what was put is read back whole, and by another process", async () => {
    const { objects, again } = await make();

    expect(await objects.put("builds/B-1/log", inChunks("one ", "two ", "three"))).toEqual({ size: 13 });

    expect(await text(await objects.get("builds/B-1/log"))).toBe("one two three");
    expect(await text(await (await again()).get("builds/B-1/log"))).toBe("one two three");
  });

  test("a read may start anywhere, also past the end", async () => {
    const { objects } = await make();
    await objects.put("log", bytes("0123456789"));

    expect(await text(await objects.get("log", { from: 7 }))).toBe("789");
    expect(await text(await objects.get("log", { from: 10 }))).toBe("");
    expect(await text(await objects.get("log", { from: 99 }))).toBe("");
  });

  test("large bodies pass unchanged", async () => {
    const { objects } = await make();
    const large = Buffer.alloc(3_000_001, "slipway");

    await objects.put("large", large);

    expect(await objects.stat("large")).toEqual({ key: "large", size: 3_000_001 });
    expect((await text(await objects.get("large"))) === large.toString()).toBe(true);
  });

  test("what is not there is undefined, and deleting it is no error", async () => {
    const { objects } = await make();

    expect(await objects.get("nothing")).toBeUndefined();
    expect(await objects.stat("nothing")).toBeUndefined();
    await objects.delete("nothing");
  });

  test("a body that breaks off leaves the old object whole and no trace of itself", async () => {
    const { objects } = await make();
    await objects.put("log", bytes("old"));

    await expect(objects.put("log", inChunks("half", new Error("cut off")))).rejects.toThrow("cut off");
    await expect(objects.put("fresh", inChunks("half", new Error("cut off")))).rejects.toThrow("cut off");

    expect(await text(await objects.get("log"))).toBe("old");
    expect(await objects.list("")).toEqual([{ key: "log", size: 3 }]);
  });

  test("an open reader keeps the object it opened while that is replaced and deleted", async () => {
    const { objects } = await make();
    await objects.put("log", bytes("first"));
    const reader = await objects.get("log");

    await objects.put("log", bytes("second, longer"));
    await objects.delete("log");

    expect(await text(reader)).toBe("first");
    expect(await objects.get("log")).toBeUndefined();
  });

  test("a store that works has no problem to tell of", async () => {
    const { objects } = await make();

    expect(await objects.problem()).toBeUndefined();
  });

  test("bodies of many parts pass unchanged, and one that breaks off late leaves nothing", async () => {
    const { objects } = await make();
    const chunk = Buffer.alloc(1_000_003, "slipway");
    async function* chunks(end?: Error): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 20; n += 1) yield chunk;
      if (end !== undefined) throw end;
    }

    expect(await objects.put("many", chunks())).toEqual({ size: 20_000_060 });
    await expect(objects.put("broken", chunks(new Error("cut off")))).rejects.toThrow("cut off");

    const tail = await text(await objects.get("many", { from: 19_000_057 }));
    expect(tail === chunk.toString()).toBe(true);
    expect(await objects.list("")).toEqual([{ key: "many", size: 20_000_060 }]);
  });

  test("an empty body is an object", async () => {
    const { objects } = await make();

    expect(await objects.put("empty", inChunks())).toEqual({ size: 0 });

    expect(await objects.stat("empty")).toEqual({ key: "empty", size: 0 });
    expect(await text(await objects.get("empty"))).toBe("");
  });

  test("two writers of one key leave one whole body", async () => {
    const { objects } = await make();
    const bodies = Array.from({ length: 8 }, (_, n) => String(n).repeat(100_000 + n));

    await Promise.all(bodies.map((body) => objects.put("contended", bytes(body))));

    expect(bodies).toContain(await text(await objects.get("contended")));
  });

  test("a key may be the beginning of another, and lists by prefix come in key order", async () => {
    const { objects } = await make();
    for (const key of ["b/2", "b", "b/10", "a/x/y", "ba"]) await objects.put(key, bytes(key));

    const keys = async (prefix: string) => (await objects.list(prefix)).map((object) => object.key);
    expect(await keys("")).toEqual(["a/x/y", "b", "b/10", "b/2", "ba"]);
    expect(await keys("b")).toEqual(["b", "b/10", "b/2", "ba"]);
    expect(await keys("b/")).toEqual(["b/10", "b/2"]);
    expect(await keys("b/1")).toEqual(["b/10"]);
    expect(await keys("none/")).toEqual([]);
  });

  test.each(["../escape", "/etc/passwd", "a/../../b", ".tmp/x", "a//b", ""])(
    "%j is refused everywhere",
    async (key) => {
      const { objects } = await make();

      await expect(objects.put(key, bytes("x"))).rejects.toBeInstanceOf(InvalidObjectKey);
      await expect(objects.get(key)).rejects.toBeInstanceOf(InvalidObjectKey);
      await expect(objects.stat(key)).rejects.toBeInstanceOf(InvalidObjectKey);
      await expect(objects.delete(key)).rejects.toBeInstanceOf(InvalidObjectKey);
    },
  );
}
