import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { identify } from "../src/processes/identity.ts";
import { entryPoints, home } from "./support/bundle.ts";
import { cleanEnvironment, type Platform, startPlatform } from "./support/platform.ts";
import { pidOf, postgresPid, processesOf } from "./support/processes.ts";
import { hangPostgres } from "./support/stopped.ts";

let dataDir = "";
const started: Platform[] = [];

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Platform {
  const platform = startPlatform({ dataDir, args, env });
  started.push(platform);
  return platform;
}

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "slipway-life-"));
});

afterEach(() => {
  // Only after a failure: exactly the processes of this test's own folder.
  for (const { pid } of processesOf(dataDir)) if (identify(pid) !== undefined) process.kill(pid, "SIGKILL");
  rmSync(dataDir, { recursive: true, force: true });
});

describe("a start that is refused", () => {
  test("names the port of SLIPWAY_PORT that somebody else has, and starts nothing", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await until(() => other.listening, { what: "a listener" });
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const platform = start(["--no-story", "--once"], { SLIPWAY_PORT: String(port) });
    expect(await platform.exit()).toBe(1);
    expect(platform.output()).toContain("port.taken");
    expect(platform.output()).toContain(String(port));
    other.close();
    expect(processesOf(dataDir)).toEqual([]);
  });

  test("tells of a port that is none", async () => {
    const platform = start(["--no-story", "--once"], { SLIPWAY_PORT: "http" });
    expect(await platform.exit()).toBe(1);
    expect(platform.output()).toMatch(/SLIPWAY_PORT/);
  });

  test("leaves a folder alone that a newer version wrote", async () => {
    writeFileSync(join(dataDir, "version"), "99\n");
    const platform = start(["--no-story", "--once"]);
    expect(await platform.exit()).toBe(1);
    expect(platform.output()).toMatch(/newer Slipway \(data version 99/);
    expect(existsSync(join(dataDir, "postgres"))).toBe(false);
  });

  test("wipes no folder that is not a data folder", async () => {
    writeFileSync(join(dataDir, "thesis.txt"), "years of work");
    const platform = start(["--no-story", "--once", "--fresh"]);
    expect(await platform.exit()).toBe(1);
    expect(platform.output()).toContain("left alone");
    expect(readFileSync(join(dataDir, "thesis.txt"), "utf8")).toBe("years of work");
  });

  test("takes no folder for its own that holds somebody's Postgres", async () => {
    mkdirSync(join(dataDir, "postgres"));
    const platform = start(["--no-story", "--once"]);
    expect(await platform.exit()).toBe(1);
    expect(platform.output()).toContain("not a data folder");
  });

  test("answers an option that it does not know with the list of those it knows", async () => {
    const platform = start(["--onse"]);
    expect(await platform.exit()).toBe(2);
    expect(platform.output()).toMatch(/--onse[\s\S]*--once/);
  });
});

describe("a platform that ends", () => {
  test("by --fresh of another, by kill -9 and then by SIGTERM: what it started ends with it or goes over to the next, also where that finds its port taken", async () => {
    const first = start(["--no-story"]);
    await first.printed(/Yours now/);
    writeFileSync(join(dataDir, "old"), "");
    const second = start(["--no-story", "--fresh"]);
    await second.printed(/Yours now/);
    expect(await first.exit()).toBe(0);
    expect(existsSync(join(dataDir, "old"))).toBe(false);

    await second.kill();
    expect(processesOf(dataDir).length).toBeGreaterThan(8);
    process.kill(postgresPid(dataDir), "SIGKILL");
    for (const name of ["us-east-1", "mesh-us-east-1"]) process.kill(pidOf(dataDir, name), "SIGKILL");
    const adopted = pidOf(dataDir, "eu-west-1");
    const third = start(["--no-story"]);
    await third.printed(/Yours now/);
    expect(pidOf(dataDir, "eu-west-1")).toBe(adopted);

    // On another port a region is told anew where the registry is, beside its pods; its mesh, which all requests pass, runs on.
    const mesh = pidOf(dataDir, "mesh-eu-west-1");
    await third.kill();
    const fourth = await startWhereItsPortIsTaken();
    expect(pidOf(dataDir, "mesh-eu-west-1")).toBe(mesh);
    // To a group a signal comes twice: from the kernel, and handed on by who started it.
    for (const _ of [1, 2]) fourth.signal("SIGTERM");
    expect(await fourth.exit()).toBe(0);
    expect(processesOf(dataDir)).toEqual([]);
  });

  /** Somebody takes the port that it has chosen, while its database hangs; that costs no traffic: the meshes that ran on are adopted by the next try. */
  async function startWhereItsPortIsTaken(): Promise<Platform> {
    const file = join(dataDir, "endpoints.json");
    const before = statSync(file).mtimeMs;
    const database = hangPostgres(dataDir);
    const platform = start(["--no-story"]);
    await until(() => statSync(file).mtimeMs > before, { what: "its choice of ports" });
    const other = createServer().listen(platform.endpoints().platform?.port, "127.0.0.1");
    await until(() => other.listening, { what: "a listener" });
    database.goOn();
    await platform.printed(/Starting again on the next free one/);
    other.close();
    await platform.printed(/Yours now/);
    return platform;
  }

  test("by Ctrl-C while it starts: nothing lives on", async () => {
    const platform = start(["--no-story"]);
    await until(() => existsSync(join(dataDir, "pids", "us-east-1.json")), { what: "a first process" });
    platform.interrupt();
    await platform.exit();
    expect(processesOf(dataDir)).toEqual([]);
  });

  test("by the death of its parent: nothing lives on", async () => {
    const args = [entryPoints.standalone, "--data", dataDir, "--no-story"];
    const script = `require("node:child_process").spawn(process.execPath, ${JSON.stringify(args)}, { stdio: "ignore" })`;
    const parent = spawn(process.execPath, ["-e", script], {
      env: { ...cleanEnvironment(), SLIPWAY_HOME: home },
      stdio: "ignore",
    });
    await until(() => existsSync(join(dataDir, "pids", "platform.json")), { timeoutMs: 120_000, what: "the platform" });
    parent.kill("SIGKILL");
    await until(() => processesOf(dataDir).length === 0, { timeoutMs: 120_000, what: "nothing left" });
    expect(existsSync(join(dataDir, "pids", "platform.json"))).toBe(false);
  });
});
