import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { configmaps } from "../../src/api/resources.ts";
import { Store } from "../../src/api/store.ts";
import { keyOf, type Stored } from "../../src/api/stored.ts";
import { quiet } from "../support/quiet.ts";
import { configMap, configMaps } from "./support/objects.ts";
import { type Send, sender, temporaryFolder, testRegion } from "./support/region.ts";

type Write = { readonly act: "put" | "remove"; readonly name: string; readonly value: string };

const writes = fc.array(
  fc.record({
    act: fc.constantFrom<Write["act"]>("put", "put", "remove"),
    name: fc.constantFrom("a", "b", "c", "d"),
    value: fc.string({ unit: "binary", maxLength: 60 }),
  }),
  { minLength: 1, maxLength: 40 },
);

const open = (dir: string, journalLimitBytes = 600) =>
  Store.open({ dir, log: quiet, historyLimit: 16, journalLimitBytes });

function objectOf({ name, value }: Write): Stored {
  const metadata = {
    name,
    namespace: "prod",
    uid: name,
    resourceVersion: "",
    creationTimestamp: "2026-01-01T00:00:00Z",
  };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { value } };
}

function perform(store: Store, write: Write): Promise<void> {
  const object = objectOf(write);
  if (write.act === "put") return store.put(configmaps, object).written;
  const present = store.latest(configmaps, keyOf(object.metadata));
  return present === undefined ? Promise.resolve() : store.remove(configmaps, present).written;
}

/**
 * The journal first: a fold under way replaces the snapshot before it empties the journal. Read and written, since
 * copyFile never returns for a file that is cut meanwhile.
 */
async function copyFolder(from: string, to: string): Promise<void> {
  for (const file of ["journal", "snapshot"]) {
    const bytes = await readFile(join(from, file)).catch(absent);
    if (bytes !== undefined) await writeFile(join(to, file), bytes);
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}

async function folder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "slipway-store-"));
}

test("any sequence of writes, then a kill and a reload, gives the same objects and the same revision", async () => {
  const law = fc.asyncProperty(writes, async (sequence) => {
    const [dir, after] = [await folder(), await folder()];
    const store = await open(dir);
    try {
      // Without waiting in between: several go out with one sync, and the journal folds into snapshots under way.
      await Promise.all(sequence.map((write) => perform(store, write)));
      // What a killed process leaves is what lies on the disk now.
      await copyFolder(dir, after);
      const reloaded = await open(after);

      expect(reloaded.list(configmaps)).toEqual(store.list(configmaps));
      expect(reloaded.revision).toBe(store.revision);
      expect(reloaded.listLatest(configmaps)).toEqual(store.listLatest(configmaps));
      const next = objectOf({ act: "put", name: "next", value: "" });
      const { object, written } = reloaded.put(configmaps, next);
      await written;
      expect(Number(object.metadata.resourceVersion)).toBe(store.revision + 1);
      await reloaded.close();
    } finally {
      await store.close();
      await rm(dir, { recursive: true });
      await rm(after, { recursive: true });
    }
  });

  await fc.assert(law, { numRuns: 40 });
});

test("a last record torn at any byte is dropped, and everything before it is there", async () => {
  const dir = await temporaryFolder();
  const store = await open(dir, Number.POSITIVE_INFINITY);
  await perform(store, { act: "put", name: "a", value: "kept" });
  const whole = (await readFile(join(dir, "journal"))).length;
  await perform(store, { act: "put", name: "a", value: "torn" });
  await store.close();
  const bytes = await readFile(join(dir, "journal"));

  for (let end = whole; end < bytes.length; end += 1) {
    await writeFile(join(dir, "journal"), bytes.subarray(0, end));
    const reloaded = await open(dir, Number.POSITIVE_INFINITY);
    expect(reloaded.get(configmaps, "prod/a")?.data).toEqual({ value: "kept" });
    await perform(reloaded, { act: "put", name: "b", value: "after" });
    await reloaded.close();
    const again = await open(dir, Number.POSITIVE_INFINITY);
    expect(again.list(configmaps).map(({ metadata }) => metadata.name)).toEqual(["a", "b"]);
    await again.close();
  }
});

test("a journal that is damaged in the middle is refused, not shortened", async () => {
  const dir = await temporaryFolder();
  const store = await open(dir, Number.POSITIVE_INFINITY);
  for (const name of ["a", "b", "c"]) await perform(store, { act: "put", name, value: "x" });
  await store.close();
  const bytes = await readFile(join(dir, "journal"));
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  await writeFile(join(dir, "journal"), bytes);

  await expect(open(dir)).rejects.toThrow(/damaged/);
});

test("changes that the snapshot holds already are not played twice", async () => {
  const dir = await temporaryFolder();
  const store = await open(dir, Number.POSITIVE_INFINITY);
  await perform(store, { act: "put", name: "a", value: "1" });
  await perform(store, { act: "remove", name: "a", value: "" });
  const journal = await readFile(join(dir, "journal"));
  await store.close();
  // The next write folds; then the journal of before comes back, as if the process had died before emptying it.
  const folding = await open(dir, 1);
  await perform(folding, { act: "put", name: "b", value: "2" });
  await folding.close();
  await truncate(join(dir, "journal"), 0);
  await appendFile(join(dir, "journal"), journal);

  const reloaded = await open(dir);

  expect(reloaded.list(configmaps).map(({ metadata }) => metadata.name)).toEqual(["b"]);
  expect(reloaded.revision).toBe(3);
  await reloaded.close();
});

test("an answer that rests on a write under way waits for it", async () => {
  const store = await open(await temporaryFolder());
  const order: string[] = [];

  const { written } = store.put(configmaps, objectOf({ act: "put", name: "a", value: "1" }));
  const same = store.settled().then(() => order.push("same"));
  void written.then(() => order.push("written"));
  await same;

  expect(store.get(configmaps, "prod/a")).toBeDefined();
  await store.close();
});

const hasPrlimit = spawnSync("prlimit", ["--version"]).status === 0;

test.skipIf(!hasPrlimit)(
  "a disk that takes no more (skipped without prlimit): 500, nothing half done, and on it goes after",
  async () => {
    const { send, process: child } = await regionProcess(await temporaryFolder());
    const prlimit = (limit: string) => spawnSync("prlimit", ["--pid", String(child.pid), `--fsize=${limit}`]).status;
    await send("POST", "/api/v1/namespaces", { metadata: { name: "prod" } });
    await send("POST", configMaps, configMap("kept", { x: "1" }));
    expect(prlimit("2000:unlimited")).toBe(0);

    const refused = await Promise.all(
      ["a", "b", "kept"].map((name) =>
        name === "kept"
          ? send("PUT", `${configMaps}/kept`, configMap("kept", { x: "y".repeat(3_000) }))
          : send("POST", configMaps, configMap(name, { x: "y".repeat(3_000) })),
      ),
    );
    const meanwhile = await send("GET", configMaps);
    const ready = await send("GET", "/readyz");
    expect(prlimit("unlimited:unlimited")).toBe(0);
    const after = await send("POST", configMaps, configMap("b", { x: "2" }));

    expect(refused.map(({ status }) => status)).toEqual([500, 500, 500]);
    expect(refused[0]?.body.message).toContain("EFBIG");
    expect(meanwhile.body.items).toMatchObject([{ metadata: { name: "kept" }, data: { x: "1" } }]);
    expect(ready.status).toBe(500);
    expect(after.status).toBe(201);
    expect((await send("GET", "/readyz")).status).toBe(200);
    expect((await send("GET", configMaps)).body.items.map(({ metadata }) => metadata.name)).toEqual(["b", "kept"]);
  },
);

test("nobody is shown a change that is not on the disk yet", async () => {
  const store = await open(await temporaryFolder());
  const seen: number[] = [];
  store.onChange(({ revision }) => seen.push(revision));

  const { written } = store.put(configmaps, objectOf({ act: "put", name: "a", value: "1" }));

  expect(store.latest(configmaps, "prod/a")).toBeDefined();
  expect(store.get(configmaps, "prod/a")).toBeUndefined();
  expect(store.revision).toBe(0);
  await written;
  expect(store.get(configmaps, "prod/a")).toBeDefined();
  expect(seen).toEqual([1]);
  await store.close();
});

test("after kill -9 in the middle of writes everything that was answered is there", async () => {
  const dir = await temporaryFolder();
  const first = await regionProcess(dir);
  await first.send("POST", "/api/v1/namespaces", { metadata: { name: "prod" } });
  const answered: string[] = [];
  const writing = Array.from({ length: 60 }, async (_none, index) => {
    const { status } = await first.send("POST", configMaps, configMap(`c-${index}`));
    if (status === 201) answered.push(`c-${index}`);
    if (answered.length === 20) first.process.kill("SIGKILL");
  });
  await Promise.allSettled(writing);
  await first.exited;

  const second = await testRegion({ dir });

  const kept = (await second.send("GET", configMaps)).body.items.map(({ metadata }) => metadata.name);
  expect(answered.length).toBeGreaterThanOrEqual(20);
  expect(kept).toEqual(expect.arrayContaining(answered));
});

test("a second server on the same folder is refused while the first one lives", async () => {
  const { dir } = await testRegion();

  await expect(testRegion({ dir })).rejects.toThrow(/another server runs/);
});

type RegionProcess = { readonly send: Send; readonly process: ChildProcess; readonly exited: Promise<unknown> };

async function regionProcess(dir: string): Promise<RegionProcess> {
  const script = join(import.meta.dirname, "support/region-process.ts");
  const child = spawn(process.execPath, ["--conditions=@slipway/source", script, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const server = JSON.parse(line.toString("utf8")) as { url: string; caPem: string; adminToken: string };
  return { send: sender(server), process: child, exited: once(child, "exit") };
}
