import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Problem } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signal } from "../src/processes/identity.ts";
import { pidFiles } from "../src/processes/pid-files.ts";
import { type Platform, startPlatform } from "./support/platform.ts";
import { processesOf } from "./support/processes.ts";

const folders: string[] = [];

/** A small disk of its own; undefined where this user may mount none. */
function smallDisk(megabytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "slipway-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0755`, "tmpfs", folder], { stdio: "ignore" });
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  folders.push(folder);
  return folder;
}

/**
 * The data folder on a disk. Its name says nothing of the mount's, which stands in the mount table of every process of the machine: processes are
 * found by the folder's name.
 */
function dataFolder(disk: string): string {
  return join(disk, `data-${randomBytes(6).toString("hex")}`);
}

function removeDisks(): void {
  for (const folder of folders.splice(0)) {
    // Only after a failure: what the platform's own pid files name, by number and start.
    for (const name of readdirSync(folder).filter((entry) => entry.startsWith("data-"))) {
      for (const file of pidFiles(join(folder, name, "pids")).all()) signal(file, "SIGKILL");
    }
    execFileSync("umount", ["--lazy", folder]);
    rmSync(folder, { recursive: true, force: true });
  }
}

const tiny = smallDisk(12);
afterAll(removeDisks);

describe.skipIf(tiny === undefined)("a disk that is full before the start (where a disk may be mounted)", () => {
  test("is named by the refusal, and leaves no process", async () => {
    const dataDir = dataFolder(tiny ?? "");
    const platform = startPlatform({ dataDir, args: ["--no-story", "--once"] });

    expect(await platform.exit(120_000)).toBe(1);
    expect(platform.output()).toMatch(/disk .*is full|A disk is full/i);
    expect(platform.output()).toMatch(/Make room/);
    expect(processesOf(dataDir)).toEqual([]);
  });
});

describe.skipIf(tiny === undefined)("a disk that fills while the platform runs (where a disk may be mounted)", () => {
  let disk = "";
  let dataDir = "";
  let platform: Platform;
  let before: readonly number[] = [];

  beforeAll(async () => {
    disk = smallDisk(1_000) ?? "";
    dataDir = dataFolder(disk);
    platform = startPlatform({ dataDir, args: ["--no-story"] });
    await platform.printed(/Ctrl-C stops everything/, 180_000);
    before = pids();
    fill(disk);
    expect(statfsSync(disk).bavail).toBe(0);
  });

  test("ends no process, and every call is answered: done, or a problem that names the disk or the database", async () => {
    const answers = [];
    for (let n = 0; n < 40; n += 1) {
      answers.push(await putService(`service-${n}`, "x".repeat(90)));
      // What the database gave back meanwhile is taken as well.
      fill(disk);
    }

    for (const { status, text } of answers) {
      if (status === 200) continue;
      const problem = Problem.parse(JSON.parse(text));
      expect(problem, text).toMatchObject({
        status: 503,
        code: "unavailable",
        remedy: expect.stringMatching(/room|again/i),
      });
    }
    expect(pids()).toEqual(before);
  });

  test("a layer that has no room is refused and leaves nothing, and the platform runs on", async () => {
    const bytes = randomBytes(3_000_000);

    const refused = await pushBlob(bytes);

    expect([refused.status, refused.text]).toEqual([expect.toSatisfy((status) => status >= 500), refused.text]);
    expect(refused.text).toMatch(/disk|room|again|unavailable/i);
    expect(await hasBlob(bytes)).toBe(false);
    expect(pids()).toEqual(before);
    rmSync(join(disk, "filler"));
    expect(await pushBlob(bytes)).toMatchObject({ status: 201 });
    expect(await hasBlob(bytes)).toBe(true);
    fill(disk);
  });

  test("works again once there is room, with what was answered before, and then stops", async () => {
    rmSync(join(disk, "filler"));

    await until(async () => (await putService("after", "Ada")).status === 200, { timeoutMs: 120_000, what: "a write" });
    const answer = await fetch(`${platform.endpoints().platform?.url}/readyz`);

    expect(await answer.json()).toMatchObject({ status: "ready" });
    expect(pids()).toEqual(before);
    platform.interrupt();
    expect(await platform.exit(60_000)).toBe(0);
    expect(processesOf(dataDir)).toEqual([]);
    expect(readFileSync(join(dataDir, "version"), "utf8")).toBe("1\n");
  });

  function pids(): readonly number[] {
    return pidFiles(join(dataDir, "pids"))
      .all()
      .map(({ pid }) => pid)
      .sort((a, b) => a - b);
  }

  function registry(path: string, init: RequestInit): Promise<Response> {
    const headers = { authorization: `Bearer ${platform.token("build-service")}`, ...init.headers };
    return fetch(`${platform.endpoints().platform?.url}/v2/orders${path}`, { ...init, headers });
  }

  async function pushBlob(body: Buffer<ArrayBuffer>): Promise<{ status: number; text: string }> {
    const headers = { "content-type": "application/octet-stream" };
    const answer = await registry(`/blobs/uploads/?digest=${digestOf(body)}`, { method: "POST", headers, body });
    return { status: answer.status, text: await answer.text() };
  }

  async function hasBlob(body: Buffer): Promise<boolean> {
    return (await registry(`/blobs/${digestOf(body)}`, { method: "HEAD" })).status === 200;
  }

  async function putService(name: string, owner: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`${platform.endpoints().platform?.url}/api/v1/services/${name}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${platform.token("admin")}`, "content-type": "application/json" },
      body: JSON.stringify({ owner }),
      signal: AbortSignal.timeout(60_000),
    });
    return { status: answer.status, text: await answer.text() };
  }
});

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** To the last byte. */
function fill(disk: string): void {
  const filler = join(disk, "filler");
  if (!existsSync(filler)) writeFileSync(filler, "");
  for (const size of [8_388_608, 65_536, 512]) {
    const piece = Buffer.alloc(size);
    try {
      for (;;) appendFileSync(filler, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}
