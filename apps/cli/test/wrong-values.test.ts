import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exitCodeOf } from "../src/exit-codes.ts";
import { problemOf } from "../src/problem-of.ts";
import { program } from "../src/program.ts";
import { writeTree } from "./slipway.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-cli-"));
  await writeTree(folder, {
    "notes.txt": "x",
    "odd.yaml": "workload: { replicas: many }\n",
    "wrong/slipway.yaml/x": "",
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const deploy = ["deploy", "shop", "3f2a91c"];
const logs = ["logs", "shop"];
const add = ["artifacts", "add", "IMAGE"];
const set = ["secrets", "set", "shop", "DB_URL"];

/** Nobody needs a platform to be told. */
const wrong: readonly (readonly [words: readonly string[], said: string])[] = [
  [["--url", "platform", "status"], '--url: "platform" is no address of a platform.\nIt looks like https://'],
  [
    ["--as", "root", "--url", "http://127.0.0.1:1", "status"],
    "--as takes viewer, deployer, approver, admin, not root.",
  ],
  [["init", "FOLDER", "--service", "My Shop"], '--service "My Shop": a service name is lower-case letters'],
  [["init", "FOLDER/nowhere"], "There is no folder "],
  [["init", "FOLDER/notes.txt"], "notes.txt is no folder.\nName the folder of the repository"],
  [["validate", "FOLDER/notes.txt"], "notes.txt is no folder.\nName the folder of the repository"],
  [["validate", "FOLDER/wrong"], "slipway.yaml cannot be read (EISDIR)."],
  [["run", "FOLDER/notes.txt"], "notes.txt is no folder."],
  [["run", "--jobs", "0"], "--jobs must be a whole number from 1 to 1000, not 0."],
  [["deploy", "Shop", "3f2a91c"], "service Shop: a service name is"],
  [["deploy", "shop", "v1.2"], "version v1.2: a version is a commit (7 to 40 hex digits), a digest, or"],
  [[...deploy, "--env", "PROD"], "--env PROD: an environment name is"],
  [[...deploy, "--regions", "eu,US"], "--regions US: a region name is"],
  [[...deploy, "--regions", "eu,,us"], '--regions "": a region name is'],
  [[...deploy, "--regions", "eu,eu"], "--regions: a region is named twice"],
  [[...deploy, "--strategy", "green"], '--strategy: must be one of "canary", "blue-green", "rolling", not "green"'],
  [[...deploy, "--canary-percent", "5%"], '--canary-percent must be a whole number from 1 to 100, not "5%".'],
  [["status", "D-x"], "D-x: a deployment id looks like D-456"],
  [["status", "Shop"], "Shop: a service name is"],
  [["status", "shop", "--env", "PROD"], "--env PROD: an environment name is"],
  [["logs", "B-x"], "B-x: a build id looks like B-12"],
  [["logs", "Shop"], "Shop: a service name is"],
  [[...logs, "--env", "PROD"], "--env PROD: an environment name is"],
  [[...logs, "--region", "US"], "--region US: a region name is"],
  [[...logs, "--version", "3f2a91c"], "--version 3f2a91c: a version looks like orders-3f2a91c-x7k2p"],
  [[...logs, "--tail", "all"], '--tail must be a whole number from 0 to 2000, not "all".'],
  [["promote", "D-1", "--expected-step", "next"], '--expected-step must be a whole number from 0 to 100, not "next".'],
  ...["promote", "halt", "resume", "approve", "rollback"].flatMap((move) => [
    [[move, "shop", "--env", "PROD"], "--env PROD: an environment name is"] as const,
    [[move, "D-1", "--reason", "LONG"], `--reason "${"x".repeat(49)}…: must have at most 500 characters`] as const,
  ]),
  [["artifacts", "list", "Shop"], "Shop: a service name is"],
  [["artifacts", "list", "--limit", "0"], "--limit must be a whole number from 1 to 500, not 0."],
  [["artifacts", "add", "nginx", "--service", "shop"], "image nginx: an image is named by its digest"],
  [[...add, "--service", "Shop"], "--service Shop: a service name is"],
  [[...add, "--service", "shop", "--file", "FOLDER/nowhere"], "nowhere cannot be read."],
  [[...add, "--service", "shop", "--file", "FOLDER/odd.yaml"], "odd.yaml workload.replicas: must be"],
  [[...add, "--service", "shop", "--git-sha", "3f2a91c"], "--git-sha 3f2a91c: a commit is 40 hex digits"],
  [[...add, "--service", "shop", "--platform", "arm64"], "--platform arm64: a platform looks like linux/amd64"],
  [[...add, "--service", "shop", "--password-stdin"], "--password-stdin needs --username."],
  [["artifacts", "promote", "3f2a91c", "--to", "PROD"], "--to PROD: an environment name is"],
  [["promotions", "approve", "P-1", "--reason", "LONG"], "must have at most 500 characters"],
  [["secrets", "set", "Shop", "DB_URL", "--build"], "Shop: a service name is"],
  [["secrets", "set", "shop", "db-url", "--build"], "db-url: "],
  [["secrets", "list", "Shop"], "Shop: a service name is"],
  [[...set, "--env", "PROD"], "--env PROD: an environment name is"],
  [[...set, "--build", "--from-file", "FOLDER/nowhere"], "nowhere cannot be read"],
  [["secrets", "remove", "shop", "DB_URL"], "Say where: either --env ENVIRONMENT or --build."],
  [["events", "--from", "x"], "--from x: a position is 0, or where an earlier answer about the same topic ended"],
  [["events", "--topic", "build", "--from", "y"], "--from y: a position is 0, or"],
  [["events", "--from", "41"], "--from 41 is a position of one topic: say which with --topic."],
  [["events", "--topic", "weather"], "There is no topic weather. There are build,"],
  [["restore", "accept", "--reason", "LONG"], "must have at most 500 characters"],
];

/** What the command line says of these words, and its exit code: in this process, for there are many of them. */
async function answer(words: readonly string[]) {
  const error: unknown = await program(true)
    .parseAsync(["node", "slipway", ...words])
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  const { detail, remedy } = problemOf(error, "HELP");
  return { said: `${detail}\n${remedy}`, code: exitCodeOf(error) };
}

test.each(wrong)("a wrong value is named with what was given and what it takes: %j", async (words, said) => {
  const image = `docker.io/library/nginx@sha256:${"0".repeat(64)}`;
  const meant: Readonly<Record<string, string>> = { FOLDER: folder, LONG: "x".repeat(501), IMAGE: image };
  const found = await answer(words.map((word) => word.replace(/^[A-Z]+\b/, (name) => meant[name] ?? name)));

  expect(found.said).toContain(said);
  expect(found.code).toBe(2);
});

test("a token that could not be sent is one that is not valid, and is not repeated", async () => {
  const { said, code } = await answer(["--url", "http://127.0.0.1:1", "--token", "schlüssel", "status"]);

  expect([said, code]).toEqual(["What --token gives is no token.\nA token is one word that begins with slp_.", 4]);
});
