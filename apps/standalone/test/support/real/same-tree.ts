import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** What a pod gets of its own, whatever its image has there. */
const ownOfPod: ReadonlySet<string> = new Set(["proc", "dev", "tmp", "etc/passwd"]);

/** Paths below both folders that differ: one is missing, is of another kind, or holds other bytes. */
export function differences(left: string, right: string, below = ""): readonly string[] {
  const names = [...new Set([...readdirSync(join(left, below)), ...readdirSync(join(right, below))])];
  return names.flatMap((name) => {
    const path = join(below, name);
    if (ownOfPod.has(path)) return [];
    const [a, b] = [kindOf(join(left, path)), kindOf(join(right, path))];
    if (a === "folder" && b === "folder") return differences(left, right, path);
    if (a !== b) return [path];
    const same =
      a === "link"
        ? readlinkSync(join(left, path)) === readlinkSync(join(right, path))
        : readFileSync(join(left, path)).equals(readFileSync(join(right, path)));
    return same ? [] : [path];
  });
}

function kindOf(path: string): "missing" | "folder" | "link" | "file" {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return "missing";
  return found.isDirectory() ? "folder" : found.isSymbolicLink() ? "link" : "file";
}
