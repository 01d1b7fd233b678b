import { expect, test } from "vitest";
import { OciError, type OciErrorKind } from "./errors.ts";
import { isFinal, publishTrouble } from "./publish-trouble.ts";

const place = { host: "r.example", repository: "slipway/orders" };
const answered = (kind: OciErrorKind, status: number, message = `POST /v2/x: ${status}`) =>
  new OciError(kind, message, { status });

test.each([
  [
    answered("unauthorised", 401),
    /^r\.example refuses user and password \(401\): correct those of r\.example in SLIPWAY_EXT/,
  ],
  [
    answered("forbidden", 403),
    /^r\.example does not let Slipway push to slipway\/orders \(403\): give its account .* push and pull$/,
  ],
  [answered("not_found", 404), /^r\.example has no repository slipway\/orders: make it there/],
  [
    new OciError("not_found", "PUT /v2/x: 404", { status: 404, code: "BLOB_UPLOAD_UNKNOWN" }),
    /^r\.example does not take it now \(PUT .*404\): start it, or correct SLIPWAY_PUBLISH_TO$/,
  ],
  [
    answered("unavailable", 503),
    /^r\.example does not take it now \(POST .*503\): start it, or correct SLIPWAY_PUBLISH_TO$/,
  ],
  [answered("refused", 405), /^r\.example refuses it \(POST .*405\): see what it says/],
  [
    new OciError("refused", "r.example may not be asked for images: it is at a private address"),
    /address: allow it in SLIPWAY_EXT/,
  ],
  [
    new OciError("untrusted", "the certificate of r.example is not trusted: add it"),
    /^the certificate of r\.example is not trusted: add it$/,
  ],
  [
    new OciError("forbidden", "this service's AWS account may not ask: allow ecr:X"),
    /^this service's AWS account may not ask: allow ecr:X$/,
  ],
])("what keeps an image from being published says what to do: %s", (error, sentence) => {
  expect(publishTrouble(error, place)).toMatch(sentence);
  expect(isFinal(error)).toBe(false);
});

test("what lets an upload go on is left out of what is told", () => {
  const error = new OciError(
    "unavailable",
    "PATCH https://r.example/v2/x/blobs/uploads/1?_state=hunter2: socket hang up",
  );

  expect(publishTrouble(error, place)).toBe(
    "r.example does not take it now (PATCH https://r.example/v2/x/blobs/uploads/1: socket hang up): start it, or correct SLIPWAY_PUBLISH_TO",
  );
});

test.each(["invalid", "digest_mismatch", "too_large"] as const)("what is %s is not tried again", (kind) => {
  expect(isFinal(new OciError(kind, "no"))).toBe(true);
});
