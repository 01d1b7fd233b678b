import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import type { RegionName } from "@slipway/kernel";
import { freePort } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { lookAtRegion, regionProblems } from "../src/index.ts";
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
  await namespace("handed-over", { "app.kubernetes.io/managed-by": "slipway" });
  await namespace("of-a-revision", { "app.kubernetes.io/managed-by": "slipway", "istio.io/rev": "1-27" });
  await namespace("theirs", {});
  await namespace("theirs-of-a-revision", { "istio.io/rev": "1-27" });

  const all = ["ambient", "bare", "handed-over", "of-a-revision", "theirs", "theirs-of-a-revision"];
  expect(await problems({}, all)).toEqual([
    expect.stringMatching(
      /^region us-east-1: namespace ambient is in ambient mode.*kubectl label --overwrite namespace ambient istio\.io\/dataplane-mode-/,
    ),
    expect.stringMatching(/namespace bare gets no sidecars.*namespace bare istio-injection=enabled/),
    expect.stringMatching(/namespace handed-over gets no sidecars.*namespace handed-over istio-injection=enabled/),
    expect.stringMatching(
      /namespace theirs was made by somebody else.*namespace theirs app\.kubernetes\.io\/managed-by=slipway istio-injection=enabled$/,
    ),
    expect.stringMatching(/namespace theirs-of-a-revision app\.kubernetes\.io\/managed-by=slipway$/),
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
  [
    "a file that is no kubeconfig",
    () => kubeconfig("torn", (text) => `${text}\n token: "hunter2: [`),
    /\.torn cannot be read \(it is none, see line \d+\): correct that file$/,
  ],
  [
    "a file that is not there",
    async () => `${api.kubeconfig}.nowhere`,
    /cannot be read \(ENOENT\): put it there, or correct `kubeconfig` and `context` in the regions file$/,
  ],
])("%s is named with the place to correct it", async (_, path, sentence) => {
  const said = await problems({ kubeconfig: await path() });
  expect(said).toEqual([expect.stringMatching(sentence)]);
  expect(said.join()).not.toContain("hunter2");
});

/** The kubeconfig of somebody else in place of the administrator's, and another cluster. */
async function changed(name: string, user: object, cluster: object = {}): Promise<string> {
  return kubeconfig(name, (text) => {
    const read = parse(text);
    Object.assign(read.clusters[0].cluster, cluster);
    read.users[0].user = user;
    return JSON.stringify(read);
  });
}
const exec = (command: string, ...args: string[]) => ({
  exec: { apiVersion: "client.authentication.k8s.io/v1", command, args, interactiveMode: "Never" },
});
const server = (change: (url: string) => string) => ({ server: change(`https://127.0.0.1:${api.server().port}`) });

test.each([
  [
    "a program of exec that is not installed",
    () => changed("absent", exec("aws-of-nobody")),
    /the program aws-of-nobody of `exec` in .*\.absent cannot be started \(ENOENT\): install it where this process runs, or put a token there$/,
  ],
  [
    "a program of exec that fails",
    () => changed("fails", exec("sh", "-c", "echo trace >&2; echo 'no session: log in' >&2; exit 3")),
    /the program sh of `exec` in .*\.fails fails \(no session: log in\): run it by hand as this process's user$/,
  ],
  [
    "a program of exec that prints something else",
    () => changed("prints", exec("echo", "hunter2")),
    /the program echo of `exec` in .*\.prints prints no ExecCredential: .*/,
  ],
  [
    "a client certificate that is not there",
    () => changed("certless", { "client-certificate": "gone.crt", "client-key": "gone.key" }),
    /\/gone\.crt, which .*\.certless names, cannot be read \(ENOENT\): put it there, or correct .*\.certless$/,
  ],
  [
    "a client certificate that is none",
    () => changed("certtorn", { "client-certificate-data": "aHVudGVyMg==", "client-key-data": "aHVudGVyMg==" }),
    /a certificate or key of .*\.certtorn is none \(ERR_OSSL_\w+\): correct it there$/,
  ],
  [
    "a file of the token that is not there",
    () => changed("tokenless", { tokenFile: "gone.token" }),
    /\/gone\.token, which .*\.tokenless names, cannot be read \(ENOENT\): put it there, or correct .*\.tokenless$/,
  ],
  [
    "a server without a scheme",
    () =>
      changed(
        "bare",
        {},
        server((url) => url.replace("https://", "")),
      ),
    /`server` in .*\.bare is no URL: begin it with https:\/\/$/,
  ],
  [
    "a server with a password in it",
    () =>
      changed(
        "worded",
        {},
        server((url) => url.replace("//", "//me:hunter2@")),
      ),
    /`server` in .*\.worded has a user and a password, which nobody is sent: take them out, and name a token in `users`$/,
  ],
])("%s is named with the place to correct it, too", async (_, path, sentence) => {
  const said = await problems({ kubeconfig: await path() });

  expect(said).toEqual([expect.stringMatching(sentence)]);
  expect(said.join()).not.toContain("hunter2");
});

test("a token may stand in a file of its own, which wins over one in the kubeconfig", async () => {
  const { token, ...certificate } = parse(await readFile(api.kubeconfig, "utf8")).users[0].user;
  expect([typeof token, certificate]).toEqual(["string", {}]);
  await writeFile(join(dirname(api.kubeconfig), "own.token"), `${token}\n`);

  expect(await problems({ kubeconfig: await changed("own", { tokenFile: "own.token", token: "of-nobody" }) })).toEqual(
    [],
  );
});

test("the Secret with which nodes pull images has to be in each namespace that is there", async () => {
  await namespace("pulls", slipways);
  const withSecret = () =>
    regionProblems(
      {
        ...{ name: api.context as RegionName, kubeconfig: api.kubeconfig, context: api.context },
        pull_secret: "slipway-pull",
      },
      ["pulls", "not-there-yet"],
    );
  const connection = await api.open();
  const metadata = { name: "slipway-pull" };
  const put = (type: string) =>
    connection.request("POST", "/api/v1/namespaces/pulls/secrets", {
      body: { apiVersion: "v1", kind: "Secret", metadata, type },
    });

  expect(await withSecret()).toEqual([
    expect.stringMatching(
      /namespace pulls has no Secret slipway-pull, .*kubectl create secret docker-registry slipway-pull -n pulls/,
    ),
  ]);
  await put("Opaque");
  expect(await withSecret()).toEqual([expect.stringMatching(/is of type Opaque, which no node reads/)]);
  await connection.request("DELETE", "/api/v1/namespaces/pulls/secrets/slipway-pull");
  await put("kubernetes.io/dockerconfigjson");
  expect(await withSecret()).toEqual([]);
});

test.each([
  [
    "a Kubernetes that is too old",
    "/version",
    { major: "1", minor: "29+" },
    [/runs Kubernetes 1\.29, .*: bring it to 1\.30 or newer/, /has no Istio/],
  ],
  ["something that is no Kubernetes", "/", "hello", [/what answers there is no Kubernetes API: correct `server`/]],
] as const)("%s is named", async (_, path, answer, sentences) => {
  const server = createServer(({ url }, response) => {
    response.writeHead(url === path ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(answer));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const plain = (cluster: object) => () =>
    JSON.stringify({
      clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}`, ...cluster } }],
      users: [{ name: "u", user: { token: "of-nobody" } }],
      contexts: [{ name: api.context, context: { cluster: "c", user: "u" } }],
    });

  expect(await problems({ kubeconfig: await kubeconfig("plain", plain({})) })).toEqual([
    expect.stringMatching(/nobody may be sent a token in the clear: say https:\/\/ in `server`/),
  ]);
  const insecure = plain({ "insecure-skip-tls-verify": true });
  expect(await problems({ kubeconfig: await kubeconfig("insecure", insecure) })).toEqual(
    sentences.map((sentence) => expect.stringMatching(sentence)),
  );
  server.close();
});

test("a context that the kubeconfig has not is named", async () => {
  expect(await problems({ context: "elsewhere" })).toEqual([
    expect.stringMatching(/has no context elsewhere: correct/),
  ]);
});

test("for how long the token is good is told, whether the region takes it or not; of one that a program renews nothing", async () => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const token = `${part({ alg: "RS256" })}.${part({ iat: 1_000, exp: 15_400 })}.c2ln`;
  const refusing = createServer((_, answer) => answer.writeHead(401).end("{}")).listen(0, "127.0.0.1");
  await once(refusing, "listening");
  const server = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}`;
  const credential = { apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token } };
  const exec = { apiVersion: credential.apiVersion, command: "echo", args: [JSON.stringify(credential)] };
  const look = async (user: object) => {
    const path = join(dirname(api.kubeconfig), "life.kubeconfig");
    const text = {
      clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
      users: [{ name: "u", user }],
      contexts: [{ name: "eu", context: { cluster: "c", user: "u" } }],
    };
    await writeFile(path, JSON.stringify(text));
    return lookAtRegion({ name: "eu" as RegionName, kubeconfig: path, context: "eu" }, []);
  };

  expect(await look({ token })).toMatchObject({
    ...{ reached: false, problems: [expect.stringContaining("refuses the credentials")] },
    token: { issuedAtMs: 1_000_000, expiresAtMs: 15_400_000 },
  });
  expect(await look({ token: "opaque" })).toMatchObject({ reached: false, token: undefined });
  expect(await look({ exec })).toMatchObject({ reached: false, token: undefined });
  refusing.close();
});
