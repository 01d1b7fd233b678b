import { readFileSync, statfsSync } from "node:fs";
import { freemem } from "node:os";
import { makeRunFolder } from "../run-folder.mjs";

const memoryDisk = "/dev/shm";
/** Twice what a whole run has there at its fullest. */
const neededBytes = 8 * 1_024 ** 3;

/**
 * Where the tests keep what they write and throw away: in memory, where there is plenty. Databases that wait for a disk, and images that are
 * unpacked and removed, are a quarter of the time otherwise. Undefined: where the system says, or whoever set TMPDIR.
 */
export function makeTestFolder({ env = process.env, disk = memoryDisk, free = freemem() } = {}) {
  if (env.TMPDIR !== undefined || free < neededBytes || !takesPrograms(disk) || roomOn(disk) < neededBytes)
    return undefined;
  // As /tmp: what runs as another user makes its folders there, too.
  return makeRunFolder("slipway-tests-", { parent: disk, mode: 0o1777 });
}

function roomOn(disk) {
  try {
    const { bavail, bsize } = statfsSync(disk);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

/** Mounted in memory, and not `noexec`. */
function takesPrograms(disk) {
  try {
    const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
    const [, , type, options = ""] = mounts.map((line) => line.split(" ")).findLast(([, at]) => at === disk) ?? [];
    return type === "tmpfs" && !options.split(",").includes("noexec");
  } catch {
    return false;
  }
}
