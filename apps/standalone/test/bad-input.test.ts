import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { errorCatalogue, Problem } from "@slipway/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Hosts, registered, type Sending, startHosts } from "./support/hosts.ts";

const sha = "3f2a91c0b7f1e6a1d2c3b4a5968778695a4b3c2d";
const deploy = { service: "orders", version: "3f2a91c", canary_percent: 5, regions: ["us-east-1", "eu-west-1"] };

let hosts: Hosts;
beforeAll(async () => {
  hosts = await startHosts();
  await registered(hosts, "orders", sha);
});
afterAll(() => hosts?.close());

/** What a caller reads: the problem itself, checked against the catalogue. */
async function problemOf(answer: Response): Promise<Problem> {
  expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  const problem = Problem.parse(await answer.json());
  expect(problem).toMatchObject(errorCatalogue[problem.code]);
  expect(problem.status).toBe(answer.status);
  return problem;
}

async function problem(path: string, sending: Sending): Promise<Problem> {
  return problemOf(await hosts.send(path, sending));
}

const create = (body: unknown) => problem("/api/v1/deployments", { method: "POST", as: "deployer", body });

describe("a deployment of what is not there names it, and what was meant", () => {
  test.each([
    ["a service", { service: "ordrs" }, "service.not_found", 'ordrs, did you mean "orders"?'],
    [
      "a service like no other",
      { service: "payments" },
      "service.not_found",
      "Nothing was ever built for a service payments.",
    ],
    ["a version", { version: "0000000" }, "version.not_found", "No artifact of orders is called 0000000."],
    [
      "a region",
      { regions: ["eu-wset-1"] },
      "region.not_found",
      'There is no region eu-wset-1, did you mean "eu-west-1"?',
    ],
    ["an environment", { environment: "prdo" }, "environment.not_found", 'no environment prdo, did you mean "prod"?'],
    ["a promotion to prod", {}, "artifact.not_promoted", "3f2a91c of orders is not promoted to prod."],
    ["a strategy of later", { strategy: "rolling" }, "strategy.unsupported", "rolling"],
  ])("%s", async (_what, wrong, code, sentence) => {
    const answer = await create({ ...deploy, ...wrong });

    expect(answer).toMatchObject({ code, detail: expect.stringContaining(sentence), remedy: expect.any(String) });
  });

  test("a region that is named and does not answer is said to be away, not unknown", async () => {
    const answer = await create({ ...deploy, environment: "dev" });

    expect(answer).toMatchObject({ code: "region.unavailable", detail: expect.stringContaining("orders") });
  });
});

describe("a wrong field is named by its place, in words", () => {
  test.each([
    [{ canary_percent: 0 }, "/body/canary_percent: must be a whole number from 1 to 100, not 0"],
    [{ canary_percent: 101 }, "/body/canary_percent: must be a whole number from 1 to 100, not 101"],
    [{ canary_percent: 4.5 }, "/body/canary_percent: must be a whole number from 1 to 100, not 4.5"],
    [{ canary_percent: "5" }, '/body/canary_percent: must be a whole number from 1 to 100, not "5"'],
    [{ canary_percent: null }, "/body/canary_percent: must be a whole number from 1 to 100, not null"],
    [{ regions: [] }, "/body/regions: must not be empty"],
    [{ regions: ["eu-west-1", "eu-west-1"] }, "/body/regions: a region is named twice"],
    [{ service: undefined }, "/body/service: is missing; it takes a text"],
    [{ service: "Orders!" }, "/body/service: a service name is lower-case letters"],
    [{ version: "main" }, "/body/version: a version is a commit"],
    [{ strategy: "canry" }, 'not "canry", did you mean "canary"?'],
    [{ canary_percnt: 5 }, '/body/canary_percnt: is not known here, did you mean "canary_percent"?'],
    [{ "": 1 }, "/body/: is not known here"],
  ])("%j", async (wrong, detail) => {
    expect(await create({ ...deploy, ...wrong })).toMatchObject({
      code: "request.invalid",
      detail: expect.stringContaining(detail),
      errors: [expect.anything()],
    });
  });

  test("all of them at once", async () => {
    const { detail, errors } = await create({ ...deploy, canary_percent: 0, service: 7, extra: true });

    expect(detail).toContain("and 2 more");
    expect(errors?.map(({ at }) => at).sort()).toEqual(["/body/canary_percent", "/body/extra", "/body/service"]);
  });

  test.each([[[]], ["text"], [7], [null]])("a body that is %j and no object", async (body) => {
    expect(await create(body)).toMatchObject({ code: "request.invalid" });
  });

  test("characters that no database holds, in a value or a name", async () => {
    const halt = (body: unknown) => problem("/api/v1/deployments/D-1/halt", { method: "POST", body });

    expect(await halt({ reason: "a\0b" })).toMatchObject({ code: "request.invalid", errors: [{ at: "/body/reason" }] });
    expect(await halt({ reason: "\ud83d" })).toMatchObject({ errors: [{ at: "/body/reason" }] });
  });

  test.each([
    ["/api/v1/deployments?page_token=next", "/query/page_token: is none that this list gave out"],
    ["/api/v1/builds?page_token=-1", "/query/page_token: is none that this list gave out"],
    ["/api/v1/artifacts?page_token=%00", "/query/page_token: is none that this list gave out"],
    ["/api/v1/notifications?page_token=1e3", "/query/page_token: is none that this list gave out"],
    ["/api/v1/deployments?page_size=0", "/query/page_size: must be a whole number from 1 to 500, not 0"],
    ["/api/v1/deployments?page_size=many", '/query/page_size: must be a whole number from 1 to 500, not "many"'],
    [
      "/api/v1/deployments?page_size=1&page_size=2",
      "/query/page_size: must be a whole number from 1 to 500, not a list",
    ],
    ["/api/v1/deployments?servce=orders", '/query/servce: is not known here, did you mean "service"?'],
    ["/api/v1/deployments?status=DONE", "/query/status: must be one of"],
    ["/api/v1/environments?verbose=1", "/query/verbose: is not known here"],
    ["/api/v1/deployments/456", "/params/id: a deployment id looks like D-456"],
    ["/api/v1/reports/dora?days=1000", "/query/days: must be a whole number from 1 to 365, not 1000"],
  ])("GET %s", async (path, detail) => {
    expect(await problem(path, {})).toMatchObject({ code: "request.invalid", detail: expect.stringContaining(detail) });
  });

  test("a misspelt validate_only does not deploy", async () => {
    const path = "/api/v1/deployments?validate_onyl=true";

    expect(await problem(path, { method: "POST", body: deploy })).toMatchObject({
      detail: expect.stringContaining('did you mean "validate_only"?'),
    });
  });
});

describe("a body that cannot be read", () => {
  const post = (text: string, headers: Record<string, string> = {}) =>
    problem("/api/v1/deployments", { method: "POST", text, headers });

  test.each([
    ["half an object", '{"service": "orders"', "The body is not JSON"],
    ["NaN", '{"canary_percent": NaN}', "The body is not JSON"],
    ["a byte order mark and nothing", "\ufeff", "The body is not JSON"],
    ["a prototype", '{"__proto__": {"admin": true}}', "__proto__"],
    ["a constructor's prototype", '{"constructor": {"prototype": {}}}', "constructor.prototype"],
  ])("%s", async (_what, text, detail) => {
    expect(await post(text)).toMatchObject({ code: "request.malformed", detail: expect.stringContaining(detail) });
  });

  test("a hundred thousand lists in each other", async () => {
    const deep = `{"service": ${"[".repeat(100_000)}${"]".repeat(100_000)}}`;

    expect(await post(deep)).toMatchObject({ code: "request.invalid" });
  });

  test("another content type, and none that can be read", async () => {
    for (const type of ["application/xml", "text/plain", "multipart/form-data; boundary=x", "; ;", "json"]) {
      expect(await post("{}", { "content-type": type })).toMatchObject({ code: "request.unsupported_media_type" });
    }
  });

  test("another encoding is not guessed", async () => {
    expect(await post("{}", { "content-encoding": "gzip" })).toMatchObject({ status: 400 });
  });

  test("ten megabytes are answered before they are read", async () => {
    const text = JSON.stringify({ ...deploy, service: "x".repeat(10_000_000) });

    expect(await problemSending(text)).toMatchObject({ code: "request.too_large" });
  });
});

describe("who calls", () => {
  test.each([
    ["no token", null, "auth.missing"],
    ["a garbled one", "slp_garbled", "auth.invalid"],
    ["one that nobody gave out", `slp_000000000000_${"0".repeat(48)}_00000000`, "auth.invalid"],
  ])("%s", async (_what, as, code) => {
    const answer = await hosts.send("/api/v1/deployments", { method: "POST", as, body: deploy });

    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect(await problemOf(answer)).toMatchObject({ code });
  });

  test.each([
    ["another scheme", "Digest username=x"],
    ["no token behind the scheme", "Bearer"],
    ["two tokens", "Bearer a b"],
  ])("%s", async (_what, authorization) => {
    expect(await problem("/api/v1/regions", { as: null, headers: { authorization } })).toMatchObject({ status: 401 });
  });

  test("another role is told which it takes", async () => {
    expect(await problem("/api/v1/deployments", { method: "POST", as: "viewer", body: deploy })).toMatchObject({
      code: "auth.forbidden",
      detail: "viewer may not do this: it takes the role deployer or approver.",
    });
  });

  test("who may not call is told so whatever the body", async () => {
    expect(await problem("/api/v1/services/orders", { method: "PUT", as: "viewer", text: "{" })).toMatchObject({
      code: "auth.forbidden",
    });
  });
});

describe("an Idempotency-Key", () => {
  const put = (key: string, owner: string) =>
    hosts.send(`/api/v1/artifacts/sha256:${"0".repeat(64)}/promotions`, {
      method: "POST",
      body: { to: owner },
      headers: { "idempotency-key": key },
    });

  test("that cannot be one is refused", async () => {
    expect(await problemOf(await put("two words", "staging"))).toMatchObject({ code: "request.invalid" });
    expect(await problemOf(await put("x".repeat(201), "staging"))).toMatchObject({ code: "request.invalid" });
  });

  test("of a refused request may be used again: nothing was done under it", async () => {
    expect((await put("again", "staging")).status).toBe(404);
    expect((await put("again", "prod")).status).toBe(404);
  });

  test("of another request is a mismatch that names it", async () => {
    const shas = ["staging", "dev"];
    const { digest } = await firstArtifact();
    const ask = (to: string | undefined) =>
      hosts.send(`/api/v1/artifacts/${digest}/promotions`, {
        method: "POST",
        body: { to },
        headers: { "idempotency-key": "mine" },
      });

    expect((await ask(shas[0])).status).toBe(201);
    expect((await ask(shas[0])).headers.get("idempotent-replayed")).toBe("true");
    expect(await problemOf(await ask(shas[1]))).toMatchObject({
      code: "idempotency.mismatch",
      detail: expect.stringContaining('"mine"'),
      remedy: expect.any(String),
    });
  });
});

describe("oddities of HTTP are problems too", () => {
  test.each([
    ["no such path", "/api/v2/deployments", "GET", "route.not_found"],
    ["no such method", "/api/v1/deployments", "DELETE", "route.not_found"],
    ["a path that is no UTF-8", "/api/v1/deployments/%ff", "GET", "request.invalid"],
    ["a path of a kilobyte", `/api/v1/deployments/D-${"1".repeat(1_000)}`, "GET", "request.invalid"],
    ["a path that climbs", "/api/v1/deployments/..%2f..%2fetc", "GET", "request.invalid"],
    ["a log of no build", "/api/v1/builds/B-0/logs", "GET", "build.not_found"],
    ["events of no deployment", "/api/v1/deployments/D-9999/events", "GET", "deployment.not_found"],
    ["a watch that is none", "/api/v1/watches/D-9999", "GET", "watch.not_found"],
    ["a watch by another name", "/api/v1/watches/orders", "GET", "request.invalid"],
  ])("%s", async (_what, path, method, code) => {
    expect(await problem(path, { method })).toMatchObject({ code, detail: expect.stringMatching(/^[A-Z/].*\.?$/) });
  });

  test("numbers larger than any of ours are not found, not an error", async () => {
    for (const path of ["builds/B-", "deployments/D-", "watches/D-"]) {
      expect((await problem(`/api/v1/${path}${"9".repeat(40)}`, {})).status).toBe(404);
    }
  });

  test.each([
    ["no HTTP", "HELLO\r\n\r\n", "request.malformed"],
    ["a method that does not exist", "FROB / HTTP/1.1\r\nhost: x\r\n\r\n", "request.malformed"],
    ["a broken header", "GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n", "request.malformed"],
    ["no Host", "GET /api/v1/regions HTTP/1.1\r\n\r\n", "request.malformed"],
    [
      "two lengths",
      "POST /api/v1/deployments HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
      "request.malformed",
    ],
    [
      "headers without end",
      `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`,
      "request.headers_too_large",
    ],
    ["an expectation", "GET /livez HTTP/1.1\r\nhost: x\r\nexpect: tea\r\nconnection: close\r\n\r\n", "request.invalid"],
  ])("%s", async (_what, bytes, code) => {
    const answer = await spoken(bytes);

    expect(answer.head).toContain("content-type: application/problem+json");
    expect(Problem.parse(JSON.parse(answer.body))).toMatchObject({ code });
  });
});

async function firstArtifact(): Promise<{ digest: string }> {
  const { artifacts } = (await (await hosts.send("/api/v1/artifacts")).json()) as { artifacts: { digest: string }[] };
  const [first] = artifacts;
  if (first === undefined) throw new Error("there is no artifact");
  return first;
}

/** Sends bytes as they are and reads until the other side closes. */
function spoken(bytes: string): Promise<{ head: string; body: string }> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(hosts.platform.port, "127.0.0.1", () => socket.end(bytes));
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", reject).on("close", () => {
      const at = text.indexOf("\r\n\r\n");
      resolve({ head: text.slice(0, at).toLowerCase(), body: text.slice(at + 4) });
    });
  });
}

/** By hand: fetch gives up when the other side answers before it has sent everything. */
function problemSending(text: string): Promise<Problem> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${hosts.platform.tokens.get("admin")}`,
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(text)),
    };
    const sent = httpRequest(`${hosts.platform.url}/api/v1/deployments`, { method: "POST", headers }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      answer.on("end", () => {
        sent.destroy();
        resolve(Problem.parse(JSON.parse(body)));
      });
    });
    sent.on("error", reject);
    // Half of it: the answer has to come by itself.
    sent.write(text.slice(0, 2_000_000));
  });
}
