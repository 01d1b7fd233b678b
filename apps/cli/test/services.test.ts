import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Asked, scriptedPlatform } from "./scripted-platform.ts";
import { slipwayWith } from "./slipway.ts";

let folder: string;
let platform: Awaited<ReturnType<typeof scriptedPlatform>>;
let asked: Asked[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-cli-services-"));
  platform = await scriptedPlatform(() => ({ name: "orders", owner: "checkout" }));
  ({ asked } = platform);
});
afterAll(async () => {
  platform?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  asked.length = 0;
});

const services = (...args: string[]) => slipwayWith(folder, { env: platform.env }, "services", ...args);
const path = "/api/v1/services/orders";

test("set says whose a service is and where its builds go, and leaves the latter where nothing is said", async () => {
  const to = await services("set", "orders", "--owner", "checkout", "--deploys-to", "dev");
  const nowhere = await services("set", "orders", "--owner", "checkout", "--deploys-nowhere");
  const owner = await services("set", "orders", "--owner", "checkout");

  expect([to.out, nowhere.out, owner.out]).toEqual([
    "orders is checkout's; builds of its main branch are deployed to dev\n",
    "orders is checkout's; nothing is deployed by itself\n",
    "orders is checkout's\n",
  ]);
  expect(asked).toEqual([
    { method: "PUT", path, body: { owner: "checkout", deploys_to: "dev" } },
    { method: "PUT", path, body: { owner: "checkout", deploys_to: null } },
    { method: "PUT", path, body: { owner: "checkout" } },
  ]);
});

test("what cannot be meant is refused before anything is sent", async () => {
  const refused = await Promise.all([
    services("set", "orders"),
    services("set", "orders", "--owner", ""),
    services("set", "Orders", "--owner", "checkout"),
    services("set", "orders", "--owner", "checkout", "--deploys-to", "De v"),
    services("set", "orders", "--owner", "checkout", "--deploys-to", "dev", "--deploys-nowhere"),
  ]);

  expect(refused.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
  expect(refused.map(({ err }) => err.split("\n")[0])).toEqual([
    "error: required option '--owner <who>' not specified",
    '--owner "": must not be empty',
    "Orders: a service name is lower-case letters, digits and dashes, at most 40, starting with a letter",
    '--deploys-to "De v": an environment name is lower-case letters, digits and dashes',
    "--deploys-to and --deploys-nowhere say the opposite: leave one away.",
  ]);
  expect(asked).toEqual([]);
});

test("the line of the guide is taken as it stands", async () => {
  const guide = await readFile(new URL("../../../docs/guides/repositories.md", import.meta.url), "utf8");
  const [line = ""] = guide.match(/^slipway services set .*$/m) ?? [];
  const [, , ...words] = line.replace(/ +#.*$/, "").split(/ +/);

  expect(await services(...words)).toMatchObject({ code: 0 });
  expect(asked).toEqual([{ method: "PUT", path, body: { owner: "checkout-team", deploys_to: "dev" } }]);
});
