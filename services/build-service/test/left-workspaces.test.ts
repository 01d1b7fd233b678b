import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Durable } from "@slipway/durable";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BuildMachine } from "../src/build-world.ts";
import { removeLeftWorkspaces } from "../src/left-workspaces.ts";

const hourMs = 3_600_000;
let dataDir = "";
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-left-"));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

async function workspace(id: string, ageMs: number): Promise<void> {
  const folder = join(dataDir, "builds", id);
  await mkdir(join(folder, "source"), { recursive: true });
  await writeFile(join(folder, "source", "file"), "of a build");
  const at = new Date(Date.now() - ageMs);
  await utimes(folder, at, at);
}

/** What the database knows of builds, by phase. */
function ports(phases: Readonly<Record<string, string>>) {
  const read = async (_machine: unknown, id: string) =>
    phases[id] === undefined ? undefined : { state: { phase: phases[id] } };
  return { dataDir, durable: { read } as unknown as Durable, machine: {} as BuildMachine };
}

test("workspaces of ended and unknown builds go once nothing changed in them for long; others stay", async () => {
  await workspace("B-1", 2 * hourMs);
  await workspace("B-2", 2 * hourMs);
  await workspace("B-3", 2 * hourMs);
  await workspace("B-4", 0);
  await workspace("notes", 2 * hourMs);

  const removed = await removeLeftWorkspaces(ports({ "B-1": "failed", "B-2": "running" }), hourMs);

  expect([...removed].sort()).toEqual(["B-1", "B-3"]);
  expect((await readdir(join(dataDir, "builds"))).sort()).toEqual(["B-2", "B-4", "notes"]);
});

test("without any build there is nothing to do", async () => {
  expect(await removeLeftWorkspaces(ports({}), hourMs)).toEqual([]);
});
