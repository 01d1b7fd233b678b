import { readFile, writeFile } from "node:fs/promises";
import type { RegionName } from "@slipway/kernel";
import { freePort } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { regionProblems } from "../src/index.ts";
import { type LocalApi, localApi } from "./support/local-api.ts";

let api: LocalApi;
let closedPort: number;
beforeAll(async () => {
  api = await localApi();
  closedPort = await freePort();
});
afterAll(() => api.close());

const slipways = { "app.kubernetes.io/managed-by": "slipway", "istio-injection": "enabled" };
const problems = (change: { kubeconfig?: string; context?: string } = {}, environments: readonly string[] = []) =>
  regionProblems(
    { name: api.context as RegionName, kubeconfig: api.kubeconfig, context: api.context, ...change },
    environments,
  );

async function namespace(name: string, labels: Record<string, string>): Promise<void> {
  const connection = await api.open();
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
  await connection.request("POST", "/api/v1/namespaces", { body });
}

/** A kubeconfig of its own, changed. */
async function kubeconfig(name: string, change: (text: string) => string): Promise<string> {
  const path = `${api.kubeconfig}.${name}`;
  await writeFile(path, change(await readFile(api.kubeconfig, "utf8")));
  return path;
}

test("a region with Istio and namespaces of Slipway's, or none yet, lacks nothing", async () => {
  await namespace("prod", slipways);

  expect(await problems({}, ["prod", "not-there-yet"])).toEqual([]);
});

test("a namespace in ambient mode, without sidecars, or of somebody else is named with the command that mends it", async () => {
  await namespace("ambient", { ...slipways, "istio.io/dataplane-mode": "ambient" });
  await namespace("bare", { ...slipways, "istio-injection": "disabled" });
  await namespace("theirs", {});

  expect(await problems({}, ["ambient", "bare", "theirs"])).toEqual([
    expect.stringMatching(
      /^region us-east-1: namespace ambient is in ambient mode.*kubectl label --overwrite namespace ambient istio\.io\/dataplane-mode-/,
    ),
    expect.stringMatching(/namespace bare gets no sidecars.*namespace bare istio-injection=enabled/),
    expect.stringMatching(
      /namespace theirs was made by somebody else.*namespace theirs app\.kubernetes\.io\/managed-by=slipway/,
    ),
  ]);
});

test.each([
  [
    "a token that is refused",
    () => kubeconfig("token", (text) => text.replace(/("?token"?: *"?)[^"\s]+/, "$1nobody")),
    /refuses the credentials: put a valid token into .*\.token/,
  ],
  [
    "a port on which nothing listens",
    () => kubeconfig("port", (text) => text.replaceAll(`:${api.server().port}`, `:${closedPort}`)),
    /nothing listens where .*\.port says: correct `server` there/,
  ],
  [
    "a host that is not known",
    () => kubeconfig("host", (text) => text.replaceAll(/https:\/\/[^:/"\s]+:/g, "https://nobody.invalid:")),
    /the host of `server` in .*\.host is not known/,
  ],
  [
    "an authority that is another",
    () => kubeconfig("ca", (text) => text.replace(/("?certificate-authority-data"?: *"?)[^"\s]+/, "$1")),
    /certificate is not trusted: correct `certificate-authority-data`/,
  ],
  ["a file that is not there", async () => `${api.kubeconfig}.nowhere`, /cannot be read: correct `kubeconfig`/],
])("%s is named with the place to correct it", async (_, path, sentence) => {
  expect(await problems({ kubeconfig: await path() })).toEqual([expect.stringMatching(sentence)]);
});

test("a context that the kubeconfig has not is named", async () => {
  expect(await problems({ context: "elsewhere" })).toEqual([
    expect.stringMatching(/has no context elsewhere: correct/),
  ]);
});
