import { readFileSync, statfsSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { makeRunFolder } from "../run-folder.mjs";

const memoryDisk = "/dev/shm";
/** Twice what a whole run has there at its fullest. */
const neededBytes = 8 * 1_024 ** 3;

/**
 * Where the tests keep what they write and throw away: in memory, where there is plenty. Databases that wait for a disk, and images that are
 * unpacked and removed, are a quarter of the time otherwise. Where there is less, in a folder of the system's own place for such, or of the one that TMPDIR names: what a
 * killed run left goes with the next one.
 */
export function makeTestFolder({ env = process.env, disk = memoryDisk, free = freemem() } = {}) {
  const inMemory =
    env.TMPDIR === undefined && free >= neededBytes && takesPrograms(disk) && roomOn(disk) >= neededBytes;
  // As /tmp: what runs as another user makes its folders there, too.
  return makeRunFolder("slipway-tests-", { parent: inMemory ? disk : (env.TMPDIR ?? tmpdir()), mode: 0o1777 });
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
