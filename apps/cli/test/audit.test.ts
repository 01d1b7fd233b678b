import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Asked, scriptedPlatform } from "./scripted-platform.ts";
import { slipwayWith } from "./slipway.ts";

const logs = [
  ...["build-service", "artifact-registry", "deployment-orchestrator"],
  ...["rollback-controller", "notification-service", "metrics-aggregator"],
];
const digest = `sha256:${"ab".repeat(32)}`;
const headOf = (seq: number) => `${seq}:${String(seq).repeat(64).slice(0, 64)}`;

let folder: string;
let platform: Awaited<ReturnType<typeof scriptedPlatform>>;
let asked: Asked[];
/** What is answered instead, by the log. */
let instead: Record<string, object>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-cli-audit-"));
  platform = await scriptedPlatform(answerTo);
  ({ asked } = platform);
});
afterAll(async () => {
  platform?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  asked.length = 0;
  instead = {};
});

function answerTo(_method: string, path: string): object {
  const [, log = "", rest = ""] = /^\/api\/v1\/audit\/([a-z-]+)(.*)$/.exec(path) ?? [];
  const other = instead[log];
  if (other !== undefined) return other;
  if (!rest.startsWith("/verification")) return pageOf(log, rest);
  // The orchestrator's takes two calls.
  const entries = log === "deployment-orchestrator" ? 9 : 0;
  if (entries > 0 && !rest.includes("from=")) return { verdict: "unfinished", entries: 5, head: headOf(5) };
  return { verdict: "intact", entries, head: headOf(entries) };
}

function pageOf(log: string, rest: string): object {
  if (log === "deployment-orchestrator") {
    if (rest.includes("page_token=4")) return { entries: [entry(3, "09:00")], next_page_token: null };
    return { entries: [entry(9, "12:00"), entry(4, "10:00")], next_page_token: "4" };
  }
  if (log !== "artifact-registry") return { entries: [], next_page_token: null };
  const own = { action: "promotion.granted", subject: digest, detail: { service: "orders", to: "prod", chain: [1] } };
  return { entries: [{ ...entry(2, "11:00"), ...own }], next_page_token: null };
}

function entry(seq: number, time: string) {
  const said = { actor: "ada", action: "deployment.halt", subject: `D-${seq}`, detail: { by: "ada", reason: "wait" } };
  return { seq, at: `2026-05-01T${time}:00.000Z`, ...said, prev_hash: "0", hash: "1" };
}

const audit = (...args: string[]) => slipwayWith(folder, { env: platform.env }, "audit", ...args);
const forbidden = { type: "x", title: "x", status: 403, code: "auth.forbidden", detail: "build-service may not." };

describe("slipway audit", () => {
  test("has the entries of all services, newest first, over all pages", async () => {
    const ran = await audit();

    expect(ran).toEqual({
      code: 0,
      err: "",
      out: [
        "TIME                      ACTOR  ACTION             SUBJECT              DETAIL",
        "2026-05-01T12:00:00.000Z  ada    deployment.halt    D-9                  reason=wait",
        "2026-05-01T11:00:00.000Z  ada    promotion.granted  sha256:abababababab  service=orders to=prod",
        "2026-05-01T10:00:00.000Z  ada    deployment.halt    D-4                  reason=wait",
        "2026-05-01T09:00:00.000Z  ada    deployment.halt    D-3                  reason=wait\n",
      ].join("\n"),
    });
    expect(new Set(asked.map(({ path }) => path.split("?")[0]))).toEqual(
      new Set(logs.map((log) => `/api/v1/audit/${log}`)),
    );
  });

  test("asks for what it was told to, times as instants, and says where there is more", async () => {
    const which = ["--service", "orders", "--actor", "ada", "--action", "deployment", "--subject", "D-4"];
    const when = ["--since", "2026-05-01", "--until", "2026-05-02T00:00:00+02:00"];
    const ran = await audit(...which, ...when, "--log", "deployment-orchestrator", "--limit", "1");

    expect(ran.out).toContain("D-9");
    expect(ran.out).not.toContain("D-4 ");
    expect(ran.err).toBe("There are older ones: --limit, or --until 2026-05-01T12:00:00.000Z, shows them.\n");
    expect(asked.map(({ path }) => Object.fromEntries(new URL(path, platform.url).searchParams))).toEqual([
      {
        ...{ service: "orders", actor: "ada", action: "deployment", subject: "D-4", page_size: "1" },
        ...{ since: "2026-05-01T00:00:00.000Z", until: "2026-05-01T22:00:00.000Z" },
      },
    ]);
  });

  test("with --json gives everything that an entry has, and the log it is from", async () => {
    const { out } = await audit("--json", "--limit", "2");

    expect(JSON.parse(out)).toMatchObject({
      entries: [
        { log: "deployment-orchestrator", seq: 9, detail: { by: "ada" }, hash: "1" },
        { log: "artifact-registry", subject: digest, detail: { chain: [1] } },
      ],
      more: true,
      missing: [],
    });
  });

  test("names the service that has no answer, shows what the others have, and ends with 3", async () => {
    instead["artifact-registry"] = { ...forbidden, status: 404, code: "route.not_found", detail: "Nothing is here." };
    const ran = await audit();

    expect(ran.code).toBe(3);
    expect(ran.out).toContain("D-9");
    expect(ran.err).toBe("Without what artifact-registry wrote down: Nothing is here. (route.not_found)\n");
  });

  test("who may not read it is told so once", async () => {
    for (const log of logs) instead[log] = forbidden;

    const ran = await audit();

    expect(ran).toMatchObject({ code: 1, out: "" });
    expect(ran.err).toMatch(/^build-service may not\.\n.*\n\(auth\.forbidden\)\n$/);
  });

  test.each([
    [["--since", "yesterday"], "--since yesterday: an instant looks like 2026-05-01T10:00:00Z"],
    [["--action", "Halt"], "--action Halt: an action looks like promotion.granted"],
    [["--log", "artifact-registri"], 'did you mean "artifact-registry"?'],
    [["--limit", "0"], "--limit must be a whole number from 1 to 100000"],
  ])("%j is not understood", async (args, said) => {
    const ran = await audit(...args);

    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining(said)]);
    expect(asked).toEqual([]);
  });

  test("--since takes how long ago, too", async () => {
    const before = Date.now();
    await audit("--since", "2h", "--log", "build-service");
    const since = Date.parse(new URL(asked[0]?.path ?? "", platform.url).searchParams.get("since") ?? "");

    expect(since).toBeGreaterThanOrEqual(before - 7_200_000);
    expect(since).toBeLessThanOrEqual(Date.now() - 7_200_000);
  });
});

describe("slipway audit verify", () => {
  test("says of each log that it is whole, with its head, a long one in several calls", async () => {
    const ran = await audit("verify");

    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(ran.out.split("\n").filter((line) => line.startsWith("d"))).toEqual([
      `deployment-orchestrator  intact  9 entries  ${headOf(9)}`,
    ]);
    expect(asked.length).toBe(logs.length + 1);
  });

  test.each([["as lines", []] as const, ["as JSON", ["--json"]] as const])(
    "takes what it printed before %s, and asks for those heads",
    async (_, how) => {
      const before = await audit("verify", ...how);
      await writeFile(join(folder, "heads"), before.out);
      asked.length = 0;
      const ran = await audit("verify", "--head", "heads");

      expect(ran.code).toBe(0);
      expect(ran.out).toContain("9 entries, 9 when kept");
      const kept = asked.map(({ path }) => new URL(path, platform.url).searchParams.get("kept"));
      expect(kept.sort()).toEqual([...Array.from({ length: 5 }, () => headOf(0)), headOf(9), headOf(9)]);
    },
  );

  test("ends with 1 where one is broken, and says which, where and why", async () => {
    instead["artifact-registry"] = { verdict: "broken", seq: 7, why: "its content was changed" };
    const ran = await audit("verify");

    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/^artifact-registry +BROKEN +at 7 +its content was changed$/m);
    expect(ran.out).toMatch(/^build-service +intact/m);
  });

  test("ends with 3 where one has no answer, and with 1 where another one is broken as well", async () => {
    instead["build-service"] = forbidden;
    const away = await audit("verify");
    instead["artifact-registry"] = { verdict: "broken", seq: 7, why: "its content was changed" };
    const both = await audit("verify", "--json");

    expect(away.code).toBe(3);
    expect(away.out).toMatch(/^build-service +no answer +build-service may not\. \(auth\.forbidden\)$/m);
    expect(both.code).toBe(1);
    expect(JSON.parse(both.out)).toMatchObject({
      missing: [{ log: "build-service", why: expect.stringContaining("may not") }],
    });
  });

  test.each([
    ["no heads", "nothing of the kind\n", "has no heads of audit logs"],
    ["half of a JSON", '{ "logs": [', "begins like JSON and is none"],
    ["a head of another one", `artifact-registri ${headOf(1)}`, 'did you mean "artifact-registry"?'],
  ])("a file with %s is refused before anybody is asked", async (_, text, said) => {
    await writeFile(join(folder, "heads"), text);
    const ran = await audit("verify", "--head", "heads");

    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining(said)]);
    expect(asked).toEqual([]);
  });
});
