import { expect, test } from "vitest";
import { registriesOf } from "./registries.ts";

const nothing = { npm: undefined, pip: undefined, goproxy: undefined, gosumdb: undefined };

test("a machine that says nothing has no registry", () => {
  expect(registriesOf(nothing).hosts).toEqual([]);
});

test("what is set up is let through: registries, scopes and extra indexes", () => {
  const { hosts, env } = registriesOf({
    npm: ["http://npm.example:4873/", "https://scoped.example/"],
    pip: "global.index-url='https://old.example/simple'\n:env:.index-url='https://pip.example/simple'\nglobal.extra-index-url='https://extra.example/simple'\n",
    goproxy: "https://go.example,direct",
    gosumdb: "off",
  });

  expect(hosts).toEqual([
    "npm.example:4873",
    "scoped.example:443",
    "pip.example:443",
    "extra.example:443",
    "go.example:443",
  ]);
  expect(env).toMatchObject({
    npm_config_registry: "http://npm.example:4873/",
    YARN_NPM_REGISTRY_SERVER: "http://npm.example:4873/",
    YARN_UNSAFE_HTTP_WHITELIST: "npm.example",
    PIP_INDEX_URL: "https://pip.example/simple",
    PIP_EXTRA_INDEX_URL: "https://extra.example/simple",
    GOPROXY: "https://go.example/",
    GOSUMDB: "off",
  });
});

test("a pip for which nothing is set up has its own index, and that one's files", () => {
  const pipDefault = "https://index.example/simple\nfiles.example\n";

  expect(registriesOf({ ...nothing, pip: "global.cert='/etc/x'\n", pipDefault })).toMatchObject({
    hosts: ["index.example:443", "files.example:443"],
    env: { PIP_INDEX_URL: "https://index.example/simple" },
  });
  expect(registriesOf({ ...nothing, pip: "global.index-url='https://own.example/'\n", pipDefault }).hosts).toEqual([
    "own.example:443",
  ]);
  expect(registriesOf({ ...nothing, pipDefault }).hosts).toEqual([]);
});

test("credentials in a registry's URL do not get into a step", () => {
  const { env } = registriesOf({ ...nothing, pip: "global.index-url='https://me:secret@pip.example/simple'" });

  expect(JSON.stringify(env)).not.toContain("secret");
});

test("a Go proxy of direct alone gives no host: version control is no package registry", () => {
  const { hosts, env } = registriesOf({ ...nothing, goproxy: "direct", gosumdb: "off" });

  expect(hosts.filter((host) => /go/.test(host))).toEqual([]);
  expect(env.GOPROXY).toBe("off");
});
