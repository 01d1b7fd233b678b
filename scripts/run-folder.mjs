// The folder of one run. It goes with the run; what a killed run left behind goes with the next one.
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where the run's pid is one: who shares the folder's parent may be in a container of its own, and know nothing of processes outside. */
const place = ".pid-namespace";

export function makeRunFolder(prefix, { parent = tmpdir(), mode = 0o700 } = {}) {
  const here = pidNamespace();
  for (const name of readdirSync(parent)) {
    const pid = new RegExp(`^${prefix}(\\d+)$`).exec(name)?.[1];
    const left = join(parent, name);
    if (pid === undefined || !isOf(left, here) || lives(Number(pid))) continue;
    endThoseIn(left);
    rmSync(left, { recursive: true, force: true });
  }
  const folder = join(parent, `${prefix}${process.pid}`);
  // A pid comes round again: then its folder is nobody's.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  writeFileSync(join(folder, place), here);
  // Whatever the umask.
  chmodSync(folder, mode);
  return folder;
}

/** Where the processes of a run write what they throw away: as /tmp, and gone with the run, however that ends. */
export function temporaryIn(folder) {
  const temporary = join(folder, "tmp");
  mkdirSync(temporary);
  chmodSync(temporary, 0o1777);
  return temporary;
}

/** A folder that does not say where its pid is one is taken for one of here. */
function isOf(folder, here) {
  try {
    return readFileSync(join(folder, place), "utf8") === here;
  } catch {
    return true;
  }
}

/** Empty where the system has no such thing. */
function pidNamespace() {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

/** What outlives its parent by design, as regions of a platform do: processes that were told a path in this folder as they were started, and what they have started. */
function endThoseIn(folder) {
  const parents = new Map();
  const ending = [];
  for (const pid of numbersIn("/proc")) {
    const [args, env, stat] = ["cmdline", "environ", "stat"].map((name) => readIfThere(`/proc/${pid}/${name}`));
    parents.set(pid, Number(/^.*\) \S (\d+)/s.exec(stat)?.[1]));
    if (pid !== process.pid && `${args}${env}`.includes(`${folder}/`)) ending.push(pid);
  }
  for (const pid of ending) {
    for (const [child, parent] of parents) if (parent === pid && !ending.includes(child)) ending.push(child);
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile, or is somebody else's.
    }
  }
}

/** None where the system has no such thing. */
function numbersIn(place) {
  try {
    return readdirSync(place)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function lives(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
