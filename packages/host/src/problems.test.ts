import { expect, test } from "vitest";
import { z } from "zod";
import { frame } from "./event-stream.ts";
import { requestHash } from "./idempotency.ts";
import { asProblem, invalidRequest } from "./problems.ts";
import { traceOf } from "./trace.ts";

test("an unknown error never tells what is inside", () => {
  const problem = asProblem(new Error("password=hunter2"));

  expect(problem.code).toBe("internal");
  expect(problem.message).not.toContain("hunter2");
});

test("a database that is away is `unavailable`, a missing file is not", () => {
  const failed = (fields: object) => asProblem(Object.assign(new Error("x"), fields)).code;

  expect(failed({ code: "57P01" })).toBe("unavailable");
  expect(failed({ code: "ECONNREFUSED" })).toBe("unavailable");
  expect(failed({ code: "ENOENT", syscall: "connect" })).toBe("unavailable");
  expect(failed({ code: "ENOENT", syscall: "open" })).toBe("internal");
  expect(failed({ code: "25006" })).toBe("unavailable");
  expect(failed({ code: "23505" })).toBe("internal");
});

test("places are JSON pointers", () => {
  const schema = z.strictObject({ "a/b": z.array(z.object({ "c~d": z.number() })) });
  const parsed = schema.safeParse({ "a/b": [{ "c~d": "x" }], more: 1 });

  expect(invalidRequest("body", parsed.error!).errors?.map(({ at }) => at)).toEqual([
    "/body/a~1b/0/c~0d",
    "/body/more",
  ]);
});

test("the order of fields makes no other request, their values do", () => {
  expect(requestHash({ a: 1, b: { c: 2, d: [1, 2] } })).toBe(requestHash({ b: { d: [1, 2], c: 2 }, a: 1 }));
  expect(requestHash({ a: [1, 2] })).not.toBe(requestHash({ a: [2, 1] }));
  expect(requestHash({ a: 1 })).not.toBe(requestHash({ a: "1" }));
});

test("an event cannot forge another one", () => {
  expect(frame({ id: "1\ndata: evil", event: "x\r\nid: 9", data: "a\nb\r\nc" })).toBe(
    "id: 1data: evil\nevent: xid: 9\ndata: a\ndata: b\ndata: c\n\n",
  );
});

test("a broken trace header begins a new trace, a good one goes on", () => {
  const random = (bytes: number) => Buffer.alloc(bytes, 7);
  const given = "0af7651916cd43dd8448eb211c80319c";

  expect(traceOf(`00-${given}-b7ad6b7169203331-00`, random)).toEqual({
    traceId: given,
    spanId: "07".repeat(8),
    flags: "00",
  });
  for (const header of [
    undefined,
    "nonsense",
    `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
    `ff-${given}-b7ad6b7169203331-01`,
  ]) {
    expect(traceOf(header, random).traceId).toBe("07".repeat(16));
  }
});
