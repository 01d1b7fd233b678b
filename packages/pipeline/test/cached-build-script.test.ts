import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cachedBuildScript } from "../src/dockerfile/script.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "slipway-script-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Prints what BuildKit would and leaves what it would; each call is noted. */
const buildctl = `#!/bin/sh
echo "$* $BUILDKITD_FLAGS" >> "$CALLS"
case "$*" in *--output*) mkdir -p "$MADE" ;; esac
case "$*" in
  *--import-cache*) cat "$WARM" >&2; [ -z "$FAILS" ] || exit 1 ;;
  *--export-cache*) [ -z "$LOSES" ] || exit 0; mkdir -p "$OUT/ingest"; echo "{}" > "$OUT/index.json"; head -c 5000 /dev/zero > "$OUT/blob" ;;
esac
`;

async function run(about: {
  readonly kept?: boolean;
  readonly warm?: string;
  readonly fails?: boolean;
  readonly loses?: boolean;
  readonly most?: number;
}) {
  const folder = await mkdtemp(join(root, "run-"));
  const at = (name: string): string => join(folder, name);
  for (const name of ["bin", "cache/in", "workspace", "data"]) await mkdir(at(name), { recursive: true });
  await writeFile(at("bin/buildctl-daemonless.sh"), buildctl, { mode: 0o755 });
  await writeFile(at("warm"), about.warm ?? "");
  await writeFile(at("workspace/source"), "");
  if (about.kept === true) await writeFile(at("cache/in/index.json"), "{}");
  const args = [
    at("image"),
    ".slipway-image",
    "--output=it",
    at("data"),
    at("cache"),
    String(about.most ?? 1e6),
    "asked",
  ];
  const { status, stdout } = spawnSync("/bin/sh", ["-eu", "-c", cachedBuildScript, "slipway-build", ...args], {
    cwd: at("workspace"),
    env: {
      ...{ PATH: `${at("bin")}:${process.env.PATH}`, HOME: at("home"), TMPDIR: at("tmp"), XDG_RUNTIME_DIR: at("run") },
      ...{ CALLS: at("calls"), MADE: at("image"), OUT: at("cache/out"), WARM: at("warm") },
      BUILDKITD_FLAGS: `--root=${at("data")}`,
      LOSES: about.loses === true ? "yes" : "",
      FAILS: about.fails === true ? "yes" : "",
    },
    encoding: "utf8",
  });
  const calls = (await readFile(at("calls"), "utf8")).trim().split("\n");
  return {
    ...{ status, said: stdout.split("\n").filter((line) => line.startsWith("cache: ")) },
    calls: calls.map(
      (call) =>
        call
          .replace(/^build asked /, "")
          .replaceAll(`${folder}/`, "")
          .split(" ")[0] ?? "",
    ),
    anew: calls.filter((call) => call.endsWith("/data-anew")).length,
    warm: calls.filter((call) => call.includes("--import-cache")).length,
    out: (await readdir(at("cache/out"))).sort(),
    left: await readdir(at("workspace")),
  };
}

const lines = (...more: string[]): string =>
  ["#5 [stage-1 1/3] FROM x", "#5 CACHED", "#6 [stage-1 2/3] RUN one", "#7 [stage-1 3/3] RUN two", ...more, ""].join(
    "\n",
  );

test("without anything kept the image is built once and its lines exported", async () => {
  expect(await run({})).toEqual({
    ...{
      status: 0,
      said: [],
      calls: ["--output=it"],
      warm: 0,
      anew: 0,
      out: ["blob", "index.json"],
      left: [".slipway-image"],
    },
  });
});

test("with a line that was kept nothing is exported, and how many there were is said", async () => {
  const { said, out, warm, status } = await run({
    kept: true,
    warm: lines("#6 CACHED", "#7 0.1 #9 CACHED", "#7 DONE 0.1s"),
  });

  expect({ said, out, warm, status }).toEqual({
    ...{ said: ["cache: 1 of 2 RUN lines were in what was kept"], out: [], warm: 1, status: 0 },
  });
});

test("a line whose layers are fetched was kept, although BuildKit does not always call it CACHED", async () => {
  const fetched = lines("#6 extracting sha256:11c15f 0.1s done", "#7 sha256:f40ded 87B / 87B done", "#7 DONE 0.1s");

  expect((await run({ kept: true, warm: fetched })).said).toEqual(["cache: 2 of 2 RUN lines were in what was kept"]);
});

test("where no line was in it, it is exported without the image being made again", async () => {
  const { calls, out, said } = await run({ kept: true, warm: lines("#7 DONE 0.1s") });

  expect(calls).toEqual(["--output=it", "--export-cache"]);
  expect(out).toEqual(["blob", "index.json"]);
  expect(said).toEqual(["cache: 0 of 2 RUN lines were in what was kept"]);
});

test("a Dockerfile's own mistake fails once, anything else is built again without what was kept", async () => {
  const own = await run({
    kept: true,
    fails: true,
    warm: 'error: failed to solve: process "x" did not complete successfully\n',
  });
  const other = await run({ kept: true, fails: true, warm: "error: failed to solve: invalid tar header\n" });

  expect(own).toMatchObject({ status: 1, calls: ["--output=it"], out: [] });
  expect(other).toMatchObject({ status: 0, warm: 1, anew: 1, out: ["blob", "index.json"], left: [".slipway-image"] });
  expect(other.said).toEqual(["cache: what was kept is of no use: the image is built without it"]);
});

test("what BuildKit could not export is told, and the image is there all the same", async () => {
  const told = {
    status: 0,
    said: ["cache: not kept: BuildKit could not export it"],
    out: [],
    left: [".slipway-image"],
  };

  expect(await run({ loses: true })).toMatchObject(told);
  expect(await run({ loses: true, kept: true, warm: lines("#7 DONE 0.1s") })).toMatchObject({
    ...{ ...told, said: ["cache: 0 of 2 RUN lines were in what was kept", ...told.said] },
  });
});

test("what is too large is not kept, and the image is there all the same", async () => {
  expect(await run({ most: 4_000 })).toMatchObject({
    ...{ status: 0, out: [], left: [".slipway-image"] },
    said: [expect.stringMatching(/^cache: not kept: its size of 0 MiB is over the 0 MiB/)],
  });
});
