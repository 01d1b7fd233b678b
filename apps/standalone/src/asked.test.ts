import { expect, test } from "vitest";
import { askedPort, hostRefusal, listensEverywhere } from "./asked.ts";

test("a port is a number up to 65,535, and what is none is said", () => {
  expect([{}, { SLIPWAY_PORT: "" }, { SLIPWAY_PORT: "7400" }].map(askedPort)).toEqual([undefined, undefined, 7_400]);
  for (const port of ["http", "-1", "65536", "7400 "])
    expect(askedPort({ SLIPWAY_PORT: port })).toMatch(/which is no port/);
});

test("the platform listens on loopback unless every address is asked for by name", () => {
  expect([{}, { SLIPWAY_HOST: "" }, { SLIPWAY_HOST: "127.0.0.1" }].map(listensEverywhere)).toEqual([
    false,
    false,
    false,
  ]);
  expect(listensEverywhere({ SLIPWAY_HOST: "0.0.0.0" })).toBe(true);
  expect([{}, { SLIPWAY_HOST: "127.0.0.1" }, { SLIPWAY_HOST: "0.0.0.0" }].map(hostRefusal)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  for (const host of ["192.0.2.7", "::", "localhost"]) expect(hostRefusal({ SLIPWAY_HOST: host })).toContain(host);
});
