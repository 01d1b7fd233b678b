import { expect, test } from "vitest";
import { tokenLifeOf } from "./token-life.ts";

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const bearer = (claims: unknown) => ({ Authorization: `Bearer ${part({ alg: "RS256" })}.${part(claims)}.c2ln` });

test("a token of a service account says from when to when it is good", () => {
  expect(tokenLifeOf(bearer({ iat: 1_000, exp: 15_400, sub: "system:serviceaccount:a:b" }))).toEqual({
    ...{ issuedAtMs: 1_000_000, expiresAtMs: 15_400_000 },
  });
});

test.each([
  ["none", {}],
  ["a password", { Authorization: "Basic bWU6eW91" }],
  ["a token that is no JWT", { Authorization: "Bearer k8s-aws-v1.aHR0cHM6Ly9zdHM" }],
  ["one without an end", bearer({ iat: 1_000 })],
  ["one that ends before it begins", bearer({ iat: 2_000, exp: 1_000 })],
  ["one that cannot be read", { Authorization: "Bearer a.b.c" }],
])("%s says nothing", (_, headers) => {
  expect(tokenLifeOf(headers)).toBeUndefined();
});
