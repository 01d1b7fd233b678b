import assert from "node:assert/strict";
import { test } from "node:test";
import { buildApp } from "../src/app.js";

test("a quote is found by its number", async () => {
  const answer = await buildApp().inject("/quotes/2");
  assert.equal(answer.statusCode, 200);
  assert.match(answer.json().text, /skilled sailor/);
});

test("what is not there is a 404", async () => {
  const answer = await buildApp().inject("/quotes/99");
  assert.equal(answer.statusCode, 404);
});

test("it says that it is healthy", async () => {
  const answer = await buildApp().inject("/healthz");
  assert.equal(answer.json().ok, true);
});
