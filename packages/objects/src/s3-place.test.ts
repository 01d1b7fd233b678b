import { expect, test } from "vitest";
import { s3Place } from "./s3-place.ts";

test("the whole place is in the URL", () => {
  expect(s3Place("s3://logs/slipway/eu?endpoint=https://s3.example:9000&region=eu-west-1")).toEqual({
    bucket: "logs",
    prefix: "slipway/eu/",
    endpoint: "https://s3.example:9000",
    region: "eu-west-1",
  });
  expect(s3Place("s3://logs")).toEqual({ bucket: "logs", prefix: "", endpoint: undefined, region: undefined });
  expect(s3Place("s3://logs?endpoint=http://127.0.0.1:1").region).toBe("us-east-1");
});

test.each([
  ["s3://", /not a URL|cannot be a bucket/],
  ["s3://AB/x", /cannot be a bucket|not a URL/],
  ["s3://key:secret@logs/x", /no place in the URL/],
  ["s3://logs/a b", /prefix/],
  ["s3://logs?regoin=eu", /\?regoin is not known/],
  ["s3://logs?endpoint=s3.example", /endpoint is http/],
  ["s3://logs?endpoint=https://key:secret@s3.example", /endpoint is http/],
])("%s is refused", (url, sentence) => {
  expect(() => s3Place(url)).toThrow(sentence);
  expect(() => s3Place(url)).not.toThrow(/secret@/);
});
