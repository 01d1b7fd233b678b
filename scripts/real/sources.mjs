// Where a real part comes from. Each source puts its files below a folder by the machine's own tool (apt-get, pip, go, mvn), with whatever mirrors, proxies and
// credentials that one is set up for, and checks what came: apt by the archive's signature, pip by the hash of each wheel, go by the sum of the module or by
// a go.sum in the tree, maven by each jar's hash.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const downloadMs = 10 * 60_000;
/** Cold, on two cores that others use as well. */
const buildMs = 60 * 60_000;

export const sources = {
  apt: fromApt,
  pip: fromPip,
  go: fromGo,
  "go-main": fromGoMain,
  "go-files": fromGoFiles,
  maven: fromMaven,
};

/** Unpacks Debian packages: nothing is installed, so no rights are needed and the machine stays as it is. */
function fromApt({ package: main, packages, version }, folder) {
  const candidate = run("apt-cache", ["policy", main]).match(/Candidate: (?:\d+:)?(\S+)/)?.[1];
  if (!candidate?.startsWith(version)) {
    throw new Error(`apt has ${main} ${candidate ?? "in no version"}, wanted is ${version} (run apt-get update?)`);
  }
  const debs = join(folder, "debs");
  mkdirSync(debs);
  run("apt-get", ["download", "-q", ...packages], { cwd: debs, timeout: downloadMs });
  for (const deb of readdirSync(debs)) run("dpkg-deb", ["--extract", join(debs, deb), folder]);
  rmSync(debs, { recursive: true });
  const libraries = `usr/lib/${multiarch()}`;
  // Programs that are linked statically bring none.
  return existsSync(join(folder, libraries)) ? { libraries } : {};
}

const multiarch = () => run("dpkg-architecture", ["-qDEB_HOST_MULTIARCH"], { otherwise: "x86_64-linux-gnu" }).trim();

const fromPins = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--disable-pip-version-check"];

function fromPip(source, folder) {
  const { package: name, version, sha256, architecture, pins } = source;
  if (architecture !== process.arch)
    throw new Error(`${name} is pinned for ${architecture} only, this is ${process.arch}`);
  if (pins["requirements.txt"] !== undefined) return fromWheels(source, folder);
  const wheels = join(folder, "wheels");
  mkdirSync(wheels);
  const wanted = join(wheels, "wanted.txt");
  writeFileSync(wanted, `${name}==${version} --hash=sha256:${sha256}\n`);
  run("python3", ["-m", "pip", "download", "-q", ...fromPins, "-d", wheels, "-r", wanted], { timeout: downloadMs });
  for (const wheel of readdirSync(wheels).filter((file) => file.endsWith(".whl"))) {
    run("python3", ["-m", "zipfile", "-e", join(wheels, wheel), folder]);
  }
  rmSync(wheels, { recursive: true });
  return {};
}

/**
 * The wheels that a requirements.txt beside the manifest pins, and no other. `program` becomes a script that is python with these packages alone: it leaves out
 * what else is installed, and writes nothing beside what was checked.
 */
function fromWheels({ pins, program }, folder) {
  // By its own path: what is compiled in wheels fits this one, and a shim wants a home.
  const python = run("python3", ["-c", "import sys; print(sys.executable)"]).trim();
  const into = ["--no-compile", "--target", join(folder, "lib")];
  run(python, ["-m", "pip", "install", "-q", ...fromPins, ...into, "-r", pins["requirements.txt"]], {
    timeout: downloadMs,
  });
  const env = 'PYTHONPATH="$(dirname "$0")/lib" PYTHONDONTWRITEBYTECODE=1';
  writeFileSync(join(folder, program), `#!/bin/sh\nexec env ${env} "${python}" -S "$@"\n`);
  return { checked: "lib", needs: python };
}

/** `stamp`: the variable by which the program says its version, which is not in the sources. */
function fromGo({ module, package: command, version, sum, stamp }, folder) {
  downloadModule({ module, version, sum }, folder);
  run("nice", ["-n", "15", "go", "install", "-trimpath", `-ldflags=-s -w -X ${stamp}`, `${command}@${version}`], {
    cwd: folder,
    timeout: buildMs,
    env: { GOBIN: folder, CGO_ENABLED: "0", GOFLAGS: "" },
  });
  return {};
}

/** Files of a module, nothing of which is built. */
function fromGoFiles({ module, version, sum, files }, folder) {
  const source = downloadModule({ module, version, sum }, folder);
  for (const file of files) copyFileSync(join(source, file), join(folder, basename(file)));
  return {};
}

/** The module's sources as they lie in go's own cache. */
function downloadModule({ module, version, sum }, folder) {
  const got = JSON.parse(
    run("go", ["mod", "download", "-json", `${module}@${version}`], { cwd: folder, timeout: downloadMs }),
  );
  if (got.Sum !== sum) throw new Error(`${module}@${version} has the sum ${got.Sum}, wanted is ${sum}`);
  return got.Dir;
}

/**
 * Programs that `go install` refuses since their module replaces others: built from a main module of ours, whose go.mod and go.sum lie beside the
 * manifest and pin every module. `files`: what of `module` is taken as it is.
 */
function fromGoMain({ commands, stamps, pins, module, files = [] }, folder) {
  const main = join(folder, "main");
  mkdirSync(main);
  for (const [name, path] of Object.entries(pins)) copyFileSync(path, join(main, name));
  const env = { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" };
  const link = `-ldflags=-s -w ${stamps.map((stamp) => `-X ${stamp}`).join(" ")}`;
  for (const command of commands) {
    const into = join(folder, basename(command));
    run("nice", ["-n", "15", "go", "build", "-trimpath", link, "-o", into, command], {
      cwd: main,
      timeout: buildMs,
      env,
    });
  }
  if (files.length > 0) {
    const sources = run("go", ["list", "-m", "-f", "{{.Dir}}", module], { cwd: main, env }).trim();
    for (const file of files) copyFileSync(join(sources, file), join(folder, basename(file)));
  }
  rmSync(main, { recursive: true });
  return {};
}

/** The jars that a pom names and theirs. `program` becomes a script that runs a class of them; what stands before its name is java's own. */
function fromMaven({ pom, jars, program }, folder) {
  run("java", ["--version"]);
  copyFileSync(join(import.meta.dirname, "parts", pom), join(folder, "pom.xml"));
  const what = ["-DincludeScope=runtime", "-DoutputDirectory=libs"];
  run("mvn", ["-q", "-B", "dependency:copy-dependencies", ...what], { cwd: folder, timeout: downloadMs });
  const files = Object.fromEntries(Object.entries(jars).map(([jar, sha256]) => [join("libs", jar), sha256]));
  const unknown = readdirSync(join(folder, "libs")).find((jar) => jars[jar] === undefined);
  if (unknown !== undefined) throw new Error(`maven brought ${unknown}, which is not pinned`);
  const wrong = differing(folder, files);
  if (wrong !== undefined) throw new Error(`${wrong} is not the one that is pinned`);
  writeFileSync(join(folder, program), '#!/bin/sh\nexec java -cp "$(dirname "$0")/libs/*" "$@"\n');
  return { files };
}

/** The first file that is not there or has another hash than it should. */
export function differing(folder, files) {
  return Object.entries(files).find(([path, sha256]) => {
    try {
      return (
        createHash("sha256")
          .update(readFileSync(join(folder, path)))
          .digest("hex") !== sha256
      );
    } catch {
      return true;
    }
  })?.[0];
}

/** What a program prints. Throws with its last words, or says that it is missing. */
export function run(program, args, { cwd, timeout = 60_000, env = {}, otherwise } = {}) {
  const result = spawnSync(program, args, {
    cwd,
    timeout,
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (result.status === 0) return result.stdout;
  if (otherwise !== undefined) return otherwise;
  if (result.error?.code === "ENOENT") throw new Error(`there is no ${program} on this machine`);
  if (result.error?.code === "ETIMEDOUT") throw new Error(`${program} took longer than ${timeout / 1_000} s`);
  const words = `${result.stderr ?? ""}\n${result.stdout ?? ""}`.trim().split("\n");
  throw new Error(
    `${program} ${args[0]} failed: ${(words.findLast((line) => line.trim() !== "") ?? "no word").slice(0, 300)}`,
  );
}
