import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { askedPort, askedRegions, hostRefusal, listensEverywhere } from "./asked.ts";

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

describe("regions of one's own", () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-asked-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = (text: string) => {
    writeFileSync(join(folder, "regions.yaml"), text);
    return { SLIPWAY_REGIONS: join(folder, "regions.yaml") };
  };

  test("are those of the file that SLIPWAY_REGIONS names, with kubeconfigs beside it", () => {
    const text = "- { name: eu-west-1, kubeconfig: eu.yaml, context: eu, mesh_url: 'http://gateway.eu' }";

    expect(askedRegions(file(text))).toMatchObject([{ name: "eu-west-1", kubeconfig: join(folder, "eu.yaml") }]);
  });

  test.each([{}, { SLIPWAY_REGIONS: "" }, { SLIPWAY_REGIONS: "local:" }])("are none with %o", (env) => {
    expect(askedRegions(env)).toBeUndefined();
  });

  test("are refused with the place of each mistake, or because there is no such file", () => {
    expect(askedRegions(file("- { name: eu, kubeconfig: a, context: b, mesh_url: gateway }"))).toMatch(
      /SLIPWAY_REGIONS: .*regions.yaml: .*0\.mesh_url/,
    );
    expect(askedRegions({ SLIPWAY_REGIONS: "/nowhere/regions.yaml" })).toMatch(/ENOENT/);
  });
});
