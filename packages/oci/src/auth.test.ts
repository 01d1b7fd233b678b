import { expect, test } from "vitest";
import { parseChallenge, refuseLeak, tokenUrl } from "./auth.ts";

test("a Basic challenge is read", () => {
  expect(parseChallenge('Basic realm="slipway"')).toEqual({ scheme: "basic" });
});

test("a Bearer challenge becomes the URL of its token server", () => {
  const challenge = parseChallenge(
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
  );

  expect(challenge?.scheme).toBe("bearer");
  if (challenge?.scheme !== "bearer") return;
  expect(tokenUrl(challenge, "unused").href).toBe(
    "https://auth.example/token?service=registry.example&scope=repository%3Aa%2Fb%3Apull%2Cpush",
  );
});

test("each scope of a Bearer challenge is asked for by itself", () => {
  const scope = "repository:a:pull,push repository:b:pull";
  const url = tokenUrl({ scheme: "bearer", realm: "https://auth.example/token", scope }, "unused");

  expect(url.searchParams.getAll("scope")).toEqual(["repository:a:pull,push", "repository:b:pull"]);
});

test("an unknown scheme is no challenge", () => {
  expect(parseChallenge("Negotiate")).toBeUndefined();
  expect(parseChallenge("")).toBeUndefined();
  expect(parseChallenge("Bearer nothing")).toBeUndefined();
});

test("the password is not sent to a plain-http token server of another host", () => {
  const leak = () => refuseLeak(new URL("http://evil.example/token"), new URL("https://registry.example/v2/"));
  const leakFromPlain = () => refuseLeak(new URL("http://evil.example/token"), new URL("http://127.0.0.1:5000/v2/"));

  expect(leak).toThrow(/would not be safe/);
  expect(leakFromPlain).toThrow(/would not be safe/);
  expect(() => refuseLeak(new URL("https://auth.example/t"), new URL("https://registry.example/"))).not.toThrow();
  expect(() => refuseLeak(new URL("http://127.0.0.1:1/t"), new URL("http://127.0.0.1:2/"))).not.toThrow();
});
