import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cached, have, readParts } from "../real/cache.mjs";
import { makeRunFolder, temporaryIn } from "../run-folder.mjs";

let folder;
let part;
let asked;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "slipway-real-test-"));
  asked = [];
  part = plan([source("from-a"), source("from-b")]);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function source(name, says = "v1.2.3") {
  return {
    kind: name,
    version: "1.2.3",
    package: name,
    program: "bin/server",
    proof: { arguments: ["--version"], says },
  };
}

/** A part as a manifest says it. */
function plan(sources) {
  const manifests = join(folder, "parts");
  mkdirSync(manifests, { recursive: true });
  writeFileSync(join(manifests, "server.json"), JSON.stringify({ name: "server", what: "a server", sources }));
  return readParts(join(folder, "cache"), manifests)[0];
}

/** A source of our own that gives a program which says this version. */
function giving(version) {
  return ({ package: name }, into) => {
    asked.push(name);
    mkdirSync(join(into, "bin"));
    writeFileSync(join(into, "bin/server"), `#!/bin/sh\necho server ${version}\n`);
    return {};
  };
}

function failing({ package: name }) {
  asked.push(name);
  throw new Error("the mirror is away");
}

test("a part is fetched once, from the first source that has it, and found again by its hash", () => {
  const kinds = { "from-a": failing, "from-b": giving("v1.2.3") };

  const found = have(part, kinds);
  const again = have(part, kinds);

  expect(found).toEqual({
    name: "server",
    from: "from-b 1.2.3",
    program: join(part.folder, "bin/server"),
    also: {},
    env: {},
  });
  expect(again).toEqual(found);
  expect(asked).toEqual(["from-a", "from-b"]);
});

test("a program that was changed in the cache is fetched anew", () => {
  const kinds = { "from-a": giving("v1.2.3") };
  const { program } = have(part, kinds);

  writeFileSync(program, "#!/bin/sh\necho another\n");

  expect(cached(part)).toBeUndefined();
  have(part, kinds);
  expect(readFileSync(program, "utf8")).toContain("v1.2.3");
  expect(asked).toHaveLength(2);
});

test("a library that was changed in the cache counts as the program does", () => {
  const kinds = {
    "from-a": (wanted, into) => {
      mkdirSync(join(into, "lib/deep"), { recursive: true });
      writeFileSync(join(into, "lib/deep/libpart.so"), "as it was built");
      return { ...giving("v1.2.3")(wanted, into), libraries: "lib" };
    },
  };
  have(part, kinds);
  expect(cached(part)).toBeDefined();

  writeFileSync(join(part.folder, "lib/deep/libpart.so"), "garbage");

  expect(cached(part)).toBeUndefined();
});

test("a Debian package whose program is linked statically has no libraries to check", () => {
  const bin = join(folder, "tools");
  mkdirSync(bin);
  const tool = (name, script) => writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  tool("apt-cache", 'echo "  Candidate: 1.2.3-4"');
  tool("apt-get", "touch server.deb");
  tool("dpkg-deb", 'mkdir "$3/bin" && printf "#!/bin/sh\\necho v1.2.3\\n" > "$3/bin/server"');
  vi.stubEnv("PATH", `${bin}:${process.env.PATH}`);
  part = plan([{ ...source("server"), kind: "apt", packages: ["server"] }]);

  expect(have(part)).toMatchObject({ program: join(part.folder, "bin/server"), env: {} });
  expect(cached(part)).toBeDefined();
});

test("a part of many wheels has those that are pinned beside its manifest: a file of any counts, other pins are another part, and without its python it is fetched anew", () => {
  const bin = join(folder, "tools");
  mkdirSync(bin);
  const python = join(bin, "python3");
  // As pip calls them: ... --target FOLDER -r PINS.
  const pip = 'while [ "$1" != --target ]; do shift; done; mkdir -p "$2/pkg"; cp "$4" "$2/pkg/pinned.py"';
  const script = `#!/bin/sh\n[ "$1" = -c ] && echo ${python} && exit\n[ "$1" = -S ] && echo v1.2.3 && exit\n${pip}\n`;
  writeFileSync(python, script, { mode: 0o755 });
  vi.stubEnv("PATH", `${bin}:${process.env.PATH}`);
  const wheels = { ...source("server"), kind: "pip", program: "python", architecture: process.arch };
  const pin = (version) => {
    mkdirSync(join(folder, "parts"), { recursive: true });
    writeFileSync(join(folder, "parts/server.requirements.txt"), `server==${version}\n`);
    return plan([wheels]);
  };
  part = pin("1.2.3");

  const found = have(part);
  const installed = join(part.folder, "lib/pkg/pinned.py");
  expect(readFileSync(installed, "utf8")).toBe("server==1.2.3\n");
  expect(readFileSync(found.program, "utf8")).toContain(`"${python}" -S "$@"`);
  expect(cached(part)).toEqual(found);
  expect(pin("1.2.4").folder).not.toBe(part.folder);

  writeFileSync(installed, "garbage");
  expect(cached(part)).toBeUndefined();
  have(part);
  rmSync(python);
  expect(cached(part)).toBeUndefined();
});

test("every wheel in the tree is pinned by its version and hash", () => {
  for (const { sources } of readParts("cache")) {
    const file = sources[0].pins["requirements.txt"];
    if (file === undefined) continue;
    const pins = readFileSync(file, "utf8").replaceAll("\\\n", "").trim().split("\n").slice(1);
    expect(pins.length).toBeGreaterThan(1);
    for (const pin of pins) expect(pin).toMatch(/^[\w.-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+$/);
  }
});

test("what says another version is refused with every source's reason, and nothing of it stays", () => {
  const kinds = { "from-a": giving("v0.9"), "from-b": failing };

  expect(() => have(part, kinds)).toThrow(/from-a by from-a: it says "server v0.9", not v1.2.3; .*the mirror is away/);
  expect(readdirSync(join(folder, "cache"))).toEqual([]);
});

test("what is no program is known by its own text", () => {
  const text = { ...source("from-a"), program: "crd.yaml", proof: { says: "kind: Widget" } };
  part = plan([text]);
  const writing = (content) => ({
    "from-a": (_source, into) => {
      writeFileSync(join(into, "crd.yaml"), content);
      return {};
    },
  });

  expect(() => have(part, writing("kind: Gadget"))).toThrow(/not kind: Widget/);
  expect(readFileSync(have(part, writing("kind: Widget")).program, "utf8")).toBe("kind: Widget");
});

test("another manifest has another folder", () => {
  const before = part.folder;

  expect(plan([source("from-a", "v2")]).folder).not.toBe(before);
});

test("a file beside the program counts as the program does, and another go.sum is another part", () => {
  const withFile = { ...source("from-a"), also: ["share/crd.yaml"] };
  part = plan([withFile]);
  const kinds = {
    "from-a": (wanted, into) => {
      mkdirSync(join(into, "share"));
      writeFileSync(join(into, "share/crd.yaml"), "kind: none\n");
      return giving("v1.2.3")(wanted, into);
    },
  };

  const { also } = have(part, kinds);
  expect(also).toEqual({ "crd.yaml": join(part.folder, "share/crd.yaml") });
  expect(cached(part)).toBeDefined();
  writeFileSync(also["crd.yaml"], "kind: other\n");
  expect(cached(part)).toBeUndefined();

  writeFileSync(join(folder, "parts/server.go.sum"), "example.org/m v1.0.0 h1:x\n");
  expect(plan([withFile]).folder).not.toBe(part.folder);
});

test("the folder of a run that was killed goes with the next run, with all that its tests wrote there, that of a living one stays, and of one in a container elsewhere", () => {
  const dead = join(folder, "slipway-real-2147483646");
  const living = join(folder, `slipway-real-${process.ppid}`);
  const elsewhere = join(folder, "slipway-real-2147483645");
  for (const left of [dead, living, elsewhere]) mkdirSync(left);
  mkdirSync(join(temporaryIn(dead), "slipway-apart-x"));
  writeFileSync(join(elsewhere, ".pid-namespace"), "pid:[1]");

  const own = makeRunFolder("slipway-real-", { parent: folder });

  const folders = readdirSync(folder).filter((name) => /^slipway-real-\d+$/.test(name));
  expect(folders.map((name) => join(folder, name)).sort()).toEqual([living, elsewhere, own].sort());
  expect(statSync(temporaryIn(own)).mode & 0o7777).toBe(0o1777);
});

test.skipIf(process.platform !== "linux")(
  "what a run that was killed left running in its folder ends with the next run, with what that has started, and nobody else",
  async () => {
    const dead = join(folder, "slipway-real-2147483646");
    mkdirSync(dead);
    const start = async (arg, env = {}) => {
      const options = { detached: true, env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "pipe", "inherit"] };
      const child = spawn("/bin/sh", ["-c", "sleep 20 & echo under way; wait", arg], options);
      // Closed once what it has started has ended, too.
      const ended = once(child.stdout, "close");
      await once(child.stdout, "data");
      return { child, ended };
    };
    const left = [await start(join(dead, "data")), await start("sh", { TMPDIR: join(dead, "tmp") })];
    const { child: other } = await start(`${dead}1/data`);

    const begun = performance.now();
    makeRunFolder("slipway-real-", { parent: folder });

    await Promise.all(left.map(({ ended }) => ended));
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(other.exitCode ?? other.signalCode).toBeNull();
    process.kill(-other.pid, "SIGKILL");
  },
);

test("every manifest in the tree has what its sources need", () => {
  for (const { name, what, sources } of readParts("cache")) {
    expect(name).toMatch(/^[a-z0-9-]+$/);
    expect(what).not.toBe("");
    for (const { kind, version, package: from, program, proof } of sources) {
      expect(["apt", "pip", "go", "go-main", "go-files", "maven"]).toContain(kind);
      for (const text of [version, from, program, proof.says]) expect(text).toMatch(/./);
    }
  }
});
