// The folder of one run. It goes with the run; what a killed run left behind goes with the next one.
import { chmodSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export function makeRunFolder(prefix, { parent = tmpdir(), mode = 0o700 } = {}) {
  for (const name of readdirSync(parent)) {
    const pid = new RegExp(`^${prefix}(\\d+)$`).exec(name)?.[1];
    if (pid !== undefined && !lives(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true });
  }
  const folder = join(parent, `${prefix}${process.pid}`);
  // A pid comes round again: then its folder is nobody's.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  // Whatever the umask.
  chmodSync(folder, mode);
  return folder;
}

function lives(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
