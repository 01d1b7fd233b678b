import { expect, test } from "vitest";
import { assertFromPage, cookieOf } from "./guard.ts";

const host = "127.0.0.1:7400";
const origin = `http://${host}`;

test.each([
  ["the page in a browser of today", { host, origin, "sec-fetch-site": "same-origin" }],
  ["the page in an older browser", { host, origin }],
  ["the page by its other name", { host: "localhost:7400", origin: "http://localhost:7400" }],
])("%s may change things", (_, headers) => {
  expect(() => assertFromPage(headers, true)).not.toThrow();
});

test.each([
  ["another site", { host, origin: "https://evil.example", "sec-fetch-site": "cross-site" }],
  ["another port of this machine", { host, origin: "http://127.0.0.1:3000", "sec-fetch-site": "same-site" }],
  ["a form without an origin", { host, origin: "null" }],
  ["a name that was bent to this machine", { host: "evil.example:7400", origin: "http://evil.example:7400" }],
  ["a name that only begins like this machine's", { host: "127.0.0.1.evil.example:7400" }],
  ["a program that says nothing", { host }],
])("%s may not", (_, headers) => {
  expect(() => assertFromPage(headers, true)).toThrow("does not count");
});

test("reading needs no origin, as browsers send none", () => {
  expect(() => assertFromPage({ host }, false)).not.toThrow();
  expect(() => assertFromPage({ host, "sec-fetch-site": "cross-site" }, false)).toThrow();
});

test("the page's cookie is found among others", () => {
  expect(cookieOf({ cookie: "a=1; slipway_page=ship.1.x; b=2" })).toBe("ship.1.x");
  expect(cookieOf({ cookie: "xslipway_page=1" })).toBeUndefined();
  expect(cookieOf({})).toBeUndefined();
});
